package batch

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Java's clients write snappy in the framing of xerial's snappy-java: a magic,
// two versions, and blocks that begin with their size. Others write one block
// without framing; snappy-java reads both, and so do all clients.
const (
	xerialMagic  = "\x82SNAPPY\x00"
	xerialHeader = xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01"
	xerialBlock  = 32 << 10 // what snappy-java writes, in bytes unpacked
)

var (
	errXerial     = errors.New("a block of snappy's framing does not fit")
	errSnappySize = errors.New("a snappy block claims to unpack to more than snappy can")
)

func unsnappy(dst, src []byte, limit int) ([]byte, error) {
	if len(src) < len(xerialHeader) || string(src[:len(xerialMagic)]) != xerialMagic {
		return unsnappyBlock(dst, src, limit)
	}
	src = src[len(xerialHeader):]
	start := len(dst)
	for len(src) > 0 {
		if len(src) < 4 {
			return dst, errXerial
		}
		size := int64(binary.BigEndian.Uint32(src))
		src = src[4:]
		if size > int64(len(src)) {
			return dst, errXerial
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[:size], limit-(len(dst)-start)); err != nil {
			return dst, err
		}
		src = src[size:]
	}
	return dst, nil
}

func unsnappyBlock(dst, src []byte, limit int) ([]byte, error) {
	size, err := s2.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	if size > limit {
		return dst, errTooLong
	}
	// The size is only claimed; no snappy element unpacks to more than 64
	// bytes, and the shortest has two.
	if size > 64*len(src) {
		return dst, errSnappySize
	}
	dst = slices.Grow(dst, size)
	if _, err := s2.Decode(dst[len(dst):len(dst)+size], src); err != nil {
		return dst, err
	}
	return dst[:len(dst)+size], nil
}

func (c *codecs) snappy(dst, src []byte) []byte {
	if need := s2.MaxEncodedLen(xerialBlock); cap(c.scratch) < need {
		c.scratch = make([]byte, need)
	}
	dst = append(dst, xerialHeader...)
	for len(src) > 0 {
		n := min(len(src), xerialBlock)
		block := s2.EncodeSnappy(c.scratch[:cap(c.scratch)], src[:n])
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(block)))
		dst = append(dst, block...)
		src = src[n:]
	}
	return dst
}
