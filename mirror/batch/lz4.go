package batch

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/pierrec/lz4/v4"
)

// Kafka writes LZ4 frames with independent blocks of 64 KB and no checksums
// (KIP-57), and reads no dependent blocks. Frames are taken apart here, since a
// batch is small, its checksum covers the frame's, and magic 0 frames have a
// checksum that other readers find wrong.
const (
	lz4Magic = 0x184D2204
	lz4Block = 64 << 10
	// magic; version 1, independent blocks; 64 KB blocks; checksum of the two
	lz4Header = "\x04\x22\x4d\x18\x60\x40\x82"

	lz4Stored = 1 << 31 // the block is not compressed
)

// The bits of a frame's flags.
const (
	lz4ContentChecksum = 1 << 2
	lz4ContentSize     = 1 << 3
	lz4BlockChecksum   = 1 << 4
	lz4Independent     = 1 << 5
	lz4Version1        = 1 << 6
)

var (
	errLZ4Frame = errors.New("the LZ4 frame is cut off or does not begin like one")
	errLZ4Kind  = errors.New("the LZ4 frame is of a kind that Kafka does not read (other version, dependent blocks or a dictionary)")
)

func unlz4(dst, src []byte, limit int) ([]byte, error) {
	if len(src) < len(lz4Header) || binary.LittleEndian.Uint32(src) != lz4Magic {
		return dst, errLZ4Frame
	}
	flags, size := src[4], src[5]>>4&7
	if flags&(3<<6) != lz4Version1 || flags&lz4Independent == 0 || flags&3 != 0 || size < 4 {
		return dst, errLZ4Kind
	}
	header := len(lz4Header)
	if flags&lz4ContentSize != 0 {
		header += 8
	}
	trailer := 0
	if flags&lz4BlockChecksum != 0 {
		trailer = 4
	}
	src = src[min(header, len(src)):]
	largest := 1 << (2*size + 8)
	start := len(dst)
	for {
		if len(src) < 4 {
			return dst, errLZ4Frame
		}
		word := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if word == 0 {
			return dst, nil
		}
		n := int64(word &^ lz4Stored)
		if n+int64(trailer) > int64(len(src)) {
			return dst, errLZ4Frame
		}
		var err error
		if dst, err = unlz4Block(dst, src[:n], word&lz4Stored != 0, largest, limit-(len(dst)-start)); err != nil {
			return dst, err
		}
		src = src[int(n)+trailer:]
	}
}

// unlz4Block appends one block, of at most largest bytes and at most limit.
func unlz4Block(dst, src []byte, stored bool, largest, limit int) ([]byte, error) {
	if stored {
		if len(src) > limit {
			return dst, errTooLong
		}
		return append(dst, src...), nil
	}
	// A byte of LZ4 cannot stand for more than 255.
	room := min(largest, 255*len(src)+64)
	dst = slices.Grow(dst, min(room, limit))
	n, err := lz4.UncompressBlock(src, dst[len(dst):len(dst)+min(room, limit)])
	if err != nil {
		if limit < room {
			return dst, errTooLong // or damaged: the whole would have to be read to know
		}
		return dst, err
	}
	return dst[:len(dst)+n], nil
}

func (c *codecs) lz4(dst, src []byte) ([]byte, error) {
	dst = append(dst, lz4Header...)
	for len(src) > 0 {
		n := min(len(src), lz4Block)
		at := len(dst)
		dst = slices.Grow(dst, 4+n)[:at+4+n]
		// With room for less than n bytes the answer is 0: stored as it is.
		size, err := c.lz4Out.CompressBlock(src[:n], dst[at+4:at+4+n-1])
		if err != nil && !errors.Is(err, lz4.ErrInvalidSourceShortBuffer) {
			return dst[:at], err
		}
		word := uint32(size)
		if err != nil || size == 0 {
			size = copy(dst[at+4:], src[:n])
			word = uint32(size) | lz4Stored
		}
		binary.LittleEndian.PutUint32(dst[at:], word)
		dst = dst[:at+4+size]
		src = src[n:]
	}
	return append(dst, 0, 0, 0, 0), nil
}
