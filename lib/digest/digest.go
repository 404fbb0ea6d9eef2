package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/zfs/stream"
)

// Sum is a digest.
type Sum [sha256.Size]byte

// String is the digest in hexadecimal.
func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// Result is what a stream holds. The text in it comes from the stream.
type Result struct {
	Sum       Sum
	Raw       bool // encrypted blocks, as zfs send -w sends them
	Volume    bool
	BigEndian bool // the byte order of the sender
	GUID      dataset.GUID
	Name      string // of the snapshot on its sender
	Objects   uint64
	Bytes     uint64 // of data that were hashed
}

// Object is the digest of one object.
type Object struct {
	Number uint64
	Sum    Sum
}

// Stream reads a stream to its end and returns its digest. If each is not nil,
// it is called for each object, in the order of their numbers; the stream can
// still turn out to be bad after that.
func Stream(in io.Reader, each func(Object) error) (Result, error) {
	r, err := stream.NewReader(in)
	if err != nil {
		return Result{}, err
	}
	begin := r.Begin()
	if err := begin.CheckContents(); err != nil {
		return Result{}, err
	}
	d := newDigester(r, each)
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return d.finish()
		}
		if err == nil {
			err = d.take(record)
		}
		if err != nil {
			return Result{}, err
		}
	}
}

// digester computes the digest of one stream. Objects are open from their
// OBJECT record on until a record shows that no more of them comes.
type digester struct {
	in     *stream.Reader
	each   func(Object) error
	result Result
	whole  hash.Hash
	open   []*object // in the order of their numbers, the first one gets records
	spare  []*object // closed, to be used again
	last   uint64    // number of the newest object
	piece  piece
	// scratch is where heads of what is hashed are made.
	scratch [64]byte
}

// Version is that of zdigest(5). Digests of different versions cannot be compared.
const Version = 1

// magic begins all that is hashed; a later version has another one.
const magic = "zdigest1"

func newDigester(r *stream.Reader, each func(Object) error) *digester {
	b := r.Begin()
	d := &digester{in: r, each: each, whole: sha256.New()}
	d.result = Result{Raw: b.Raw(), Volume: b.Volume(), BigEndian: b.BigEndian(), GUID: b.ToGUID, Name: b.ToName}
	d.whole.Write([]byte(magic))
	d.whole.Write([]byte{bit(b.Volume()), bit(b.Raw()), bit(b.BigEndian()), 0, 0, 0, 0, 0})
	return d
}

func bit(on bool) byte {
	if on {
		return 1
	}
	return 0
}

func (d *digester) take(r *stream.Record) error {
	switch r.Kind {
	case stream.Object:
		return d.takeObject(r)
	case stream.Write:
		return d.takeWrite(r)
	case stream.Spill:
		return d.takeSpill(r)
	case stream.Free:
		return d.takeFree(r)
	case stream.FreeObjects:
		return d.takeFreeObjects(r)
	case stream.ObjectRange: // how blocks of objects are encrypted, and not what they hold
		return nil
	}
	return errors.New("it holds an embedded block: send it without -e")
}

// takeFree and takeFreeObjects accept what frees nothing that the stream brought:
// in a whole snapshot it is not there anyway.
func (d *digester) takeFree(r *stream.Record) error {
	for _, o := range d.open {
		if o.number == r.Object && r.Offset < o.end {
			return fmt.Errorf("it frees what it wrote to object %d", r.Object)
		}
	}
	if r.Object < d.oldest() {
		return fmt.Errorf("it frees what it wrote to object %d", r.Object)
	}
	return nil
}

func (d *digester) takeFreeObjects(r *stream.Record) error {
	if d.last > 0 && r.Object <= d.last {
		return fmt.Errorf("it frees object %d, after object %d", r.Object, d.last)
	}
	return nil
}

// oldest is the number of the first object that is open, and otherwise that of
// the first one that may come.
func (d *digester) oldest() uint64 {
	if len(d.open) > 0 {
		return d.open[0].number
	}
	return d.last + 1
}

// finish closes all objects and makes the digest.
func (d *digester) finish() (Result, error) {
	if err := d.closeBefore(^uint64(0)); err != nil {
		return Result{}, err
	}
	d.whole.Write(binary.LittleEndian.AppendUint64(nil, d.result.Objects))
	d.whole.Sum(d.result.Sum[:0])
	return d.result, nil
}
