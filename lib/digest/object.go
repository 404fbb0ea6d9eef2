package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// perBlock is how many objects a block of dnodes holds. OpenZFS 0.8 sends all
// of a block's OBJECT records before what belongs to the first of them; later
// versions send one object after the other. So at most these are open.
const perBlock = 32

// object is the digest of one that is open.
type object struct {
	number uint64
	sum    hash.Hash
	end    uint64 // no later record may bring data before this offset
	spill  []byte // what is hashed of a spill block; nil: it has none
}

// takeObject opens an object.
func (d *digester) takeObject(r *stream.Record) error {
	if r.Object <= d.last || r.Object == ^uint64(0) {
		return fmt.Errorf("object %d comes after object %d", r.Object, d.last)
	}
	if len(d.open) > 0 && (d.open[0].end > 0 || d.open[0].spill != nil || d.open[0].number/perBlock != r.Object/perBlock) {
		if err := d.closeBefore(r.Object); err != nil {
			return err
		}
	}
	d.last = r.Object
	o := d.reuse()
	o.number = r.Object
	bonus, err := d.bonus(r)
	if err != nil {
		return err
	}
	h := binary.LittleEndian.AppendUint64(d.scratch[:0], r.Object)
	h = binary.LittleEndian.AppendUint32(h, r.Type)
	h = binary.LittleEndian.AppendUint32(h, r.BonusType)
	h = binary.LittleEndian.AppendUint32(h, r.BonusLength)
	h = binary.LittleEndian.AppendUint32(h, uint32(len(bonus)))
	o.sum.Write(h)
	o.sum.Write(bonus)
	d.open = append(d.open, o)
	return nil
}

// bonus is the payload of an OBJECT record. What pads a bonus that is not raw
// may be anything, and is no part of it.
func (d *digester) bonus(r *stream.Record) ([]byte, error) {
	bonus, err := d.in.Data() // all: it is shorter than MaxData
	if err != nil || r.RawBonus != 0 {
		return bonus, err
	}
	return bonus[:r.BonusLength], nil
}

func (d *digester) reuse() *object {
	if n := len(d.spare); n > 0 {
		o := d.spare[n-1]
		d.spare = d.spare[:n-1]
		o.sum.Reset()
		*o = object{sum: o.sum}
		return o
	}
	return &object{sum: sha256.New()}
}

// at returns the object to which a record belongs, after it closed those before.
func (d *digester) at(number uint64) (*object, error) {
	if err := d.closeBefore(number); err != nil {
		return nil, err
	}
	if len(d.open) == 0 || d.open[0].number != number {
		return nil, fmt.Errorf("it holds data of object %d in the wrong place", number)
	}
	return d.open[0], nil
}

// closeBefore closes the objects with smaller numbers.
func (d *digester) closeBefore(number uint64) error {
	for len(d.open) > 0 && d.open[0].number < number {
		o := d.open[0]
		d.piece.flush(o, &d.result.Bytes)
		if o.spill != nil {
			o.sum.Write(o.spill)
		}
		sum := Object{o.number, Sum(o.sum.Sum(d.scratch[:0]))}
		d.whole.Write(append(binary.LittleEndian.AppendUint64(d.scratch[:0], o.number), sum.Sum[:]...))
		d.result.Objects++
		d.open, d.spare = append(d.open[:0], d.open[1:]...), append(d.spare, o)
		if d.each != nil {
			if err := d.each(sum); err != nil {
				return err
			}
		}
	}
	return nil
}
