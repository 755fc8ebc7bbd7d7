package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is a compression as the attributes number it.
type Codec uint8

// The codecs of Kafka (CompressionType); zstd since 2.1 (KIP-110).
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	default:
		return fmt.Sprintf("codec %d", uint8(c))
	}
}

// The windows of zstd: a producer at the highest level announces 128 MB; what
// kplan writes needs no more than one batch.
const (
	zstdLargestWindow = 128 << 20
	zstdWindow        = 1 << 20
)

// errTooLong says that compressed records unpack to more than the limit.
var errTooLong = errors.New("they unpack to more than the limit")

// codecs packs and unpacks, and keeps what the codecs need between calls. Each
// is made when it is needed first. Not safe for concurrent use.
type codecs struct {
	gzipIn  *gzip.Reader
	gzipOut *gzip.Writer
	zstdIn  *zstd.Decoder
	zstdOut *zstd.Encoder
	lz4Out  lz4.Compressor
	scratch []byte
	reader  bytes.Reader
	writer  sliceWriter
}

// sliceWriter appends; its errors are nil.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// unpack appends the unpacked src to dst, and at most limit bytes: errTooLong.
// dst is returned in any case, since it may have grown.
func (c *codecs) unpack(dst []byte, codec Codec, src []byte, limit int) ([]byte, error) {
	switch codec {
	case Gzip:
		return c.gunzip(dst, src, limit)
	case Snappy:
		return unsnappy(dst, src, limit)
	case LZ4:
		return unlz4(dst, src, limit)
	case Zstd:
		return c.unzstd(dst, src, limit)
	default:
		return dst, fmt.Errorf("%s is no compression", codec)
	}
}

// pack appends the packed src to dst.
func (c *codecs) pack(dst []byte, codec Codec, src []byte) ([]byte, error) {
	switch codec {
	case Gzip:
		return c.gzip(dst, src)
	case Snappy:
		return c.snappy(dst, src), nil
	case LZ4:
		return c.lz4(dst, src)
	case Zstd:
		return c.zstd(dst, src)
	default:
		return dst, fmt.Errorf("%s is no compression", codec)
	}
}

func (c *codecs) gunzip(dst, src []byte, limit int) ([]byte, error) {
	c.reader.Reset(src)
	if c.gzipIn == nil {
		in, err := gzip.NewReader(&c.reader)
		if err != nil {
			return dst, err
		}
		c.gzipIn = in
	} else if err := c.gzipIn.Reset(&c.reader); err != nil {
		return dst, err
	}
	start := len(dst)
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		room := min(cap(dst), start+limit+1)
		n, err := c.gzipIn.Read(dst[len(dst):room])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst)-start > limit:
			return dst[:start], errTooLong
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

func (c *codecs) gzip(dst, src []byte) ([]byte, error) {
	c.writer.b = dst
	if c.gzipOut == nil {
		c.gzipOut = gzip.NewWriter(&c.writer)
	} else {
		c.gzipOut.Reset(&c.writer)
	}
	if _, err := c.gzipOut.Write(src); err != nil {
		return dst, err
	}
	err := c.gzipOut.Close()
	out := c.writer.b
	c.writer.b = nil
	return out, err
}

// unzstd grows dst step by step, so that a frame that promises gigabytes gets
// no more than the limit, while a large window (which a producer's level sets,
// whatever the size of the batch) is no reason to refuse it.
func (c *codecs) unzstd(dst, src []byte, limit int) ([]byte, error) {
	if c.zstdIn == nil {
		in, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(max(uint64(limit), zstdLargestWindow)))
		if err != nil {
			return dst, err
		}
		c.zstdIn = in
	}
	start := len(dst)
	room := min(max(4*len(src), cap(dst)-start, 64<<10), limit)
	for {
		if cap(dst)-start < room {
			dst = append(make([]byte, 0, start+room), dst...)
		}
		out, err := c.zstdIn.DecodeAll(src, dst[:start:start+room])
		switch {
		case err == nil:
			return dst[:len(out)], nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return dst[:start], err
		case room >= limit:
			return dst[:start], errTooLong
		}
		room = min(2*room, limit)
	}
}

func (c *codecs) zstd(dst, src []byte) ([]byte, error) {
	if c.zstdOut == nil {
		out, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true))
		if err != nil {
			return dst, err
		}
		c.zstdOut = out
	}
	return c.zstdOut.EncodeAll(src, dst), nil
}
