package batch

import (
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
)

// levels is how many powers of two of bytes a checksum can be shifted by: a
// batch has less than 2^31.
const levels = 31

// Patcher rewrites headers as Batch.Rewrite does, and patches the checksum by
// the difference of the headers instead of reading all records again. A
// checksum is linear: crc(a xor d) = crc(a) xor crc0(d), and crc0 of a
// difference that is zero behind the header is crc0 of its head, shifted by
// the length of the rest. So a batch that was damaged stays damaged, and the
// cost does not depend on its size. It is safe for concurrent use.
type Patcher struct {
	// shift[k] appends 2^k zero bytes to a checksum; one table per byte of it.
	shift [levels][4][256]uint32
}

// NewPatcher computes the tables (124 KB); one is enough for a process.
func NewPatcher() *Patcher {
	p := new(Patcher)
	for k := range p.shift {
		var columns [32]uint32
		for bit := range columns {
			c := uint32(1) << bit
			if k == 0 {
				columns[bit] = c>>8 ^ castagnoli[c&0xff]
			} else {
				columns[bit] = apply(&p.shift[k-1], apply(&p.shift[k-1], c))
			}
		}
		for at := range 4 {
			for v := 1; v < 256; v++ {
				low := v & -v
				rest := p.shift[k][at][v^low]
				bit := 0
				for low>>bit != 1 {
					bit++
				}
				p.shift[k][at][v] = rest ^ columns[8*at+bit]
			}
		}
	}
	return p
}

func apply(t *[4][256]uint32, c uint32) uint32 {
	return t[0][c&0xff] ^ t[1][c>>8&0xff] ^ t[2][c>>16&0xff] ^ t[3][c>>24]
}

// Rewrite is Batch.Rewrite, with the checksum patched.
func (p *Patcher) Rewrite(b Batch, s Stamp) error {
	if o := b.Obstacle(); o != NoObstacle {
		return &UnfitError{Offset: b.Offset(), Obstacle: o}
	}
	var before [atCount - atAttributes]byte
	changed := b.b[atAttributes:atCount]
	copy(before[:], changed)
	b.stamp(s)
	// The difference stands in the header for a moment: on the stack it would
	// escape to the heap, once a batch.
	subtle.XORBytes(changed, changed, before[:])
	// hash/crc32 inverts before and after; crc0 does neither.
	diff := ^crc32.Update(0xffffffff, castagnoli, changed)
	subtle.XORBytes(changed, changed, before[:])
	rest := uint(len(b.b) - atCount)
	for k := 0; rest != 0; k, rest = k+1, rest>>1 {
		if rest&1 != 0 {
			diff = apply(&p.shift[k], diff)
		}
	}
	binary.BigEndian.PutUint32(b.b[atCRC:], b.CRC()^diff)
	return nil
}
