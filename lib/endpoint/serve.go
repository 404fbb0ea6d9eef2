package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"os"
	"slices"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/rpc"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// Roles of a server.
const (
	SourceRole = "source" // serves a Sender
	SinkRole   = "sink"   // serves a Receiver
)

func (v *Service) doing(what, dataset string) func() {
	if v.Doing == nil {
		return func() {}
	}
	v.Doing(what, dataset)
	return func() { v.Doing("", "") }
}

func (v *Service) moved(bytes uint64) {
	if v.Moved != nil && bytes > 0 {
		v.Moved(bytes)
	}
}

// ServeSender registers the calls of a sender. SendFrame is the zsend-frame
// program with options. Done is to be called when the connection has ended.
func ServeSender(server *rpc.Server, v *Service, s *Sender, sendFrame []string) (done func()) {
	slot := &transfer.Slot{}
	s.masked = true
	v.register(server, SourceRole, s.Compress)
	server.Handle("list", after(v, func(ctx context.Context, in transfer.ListRequest) (iter.Seq2[transfer.Dataset, error], error) {
		defer v.doing("list", "")()
		list, err := s.List(ctx, in)
		return spread(s.mask(list)), err
	}))
	server.Handle("protect", inRun(v, s.Protect))
	server.Handle("held", after(v, s.Held))
	server.Handle("size", inRun(v, s.Size))
	server.Handle("sizes", after(v, s.Sizes))
	server.Handle("strays", inRun(v, func(ctx context.Context, in transfer.StraysRequest) (transfer.Strays, error) {
		out, err := s.Strays(ctx, in)
		return transfer.Strays{Count: out.Count, Kept: out.Kept}, err
	}))
	server.Handle("deferred", after(v, s.Deferred))
	server.Handle("uses", after(v, s.Uses))
	server.Handle("digest", digests(v, s.Digest))
	server.Handle("send", func(ctx context.Context, in transfer.SendRequest) (transfer.SendReply, rpc.Sender, error) {
		if err := v.mayAct(); err != nil {
			return transfer.SendReply{}, nil, err
		}
		stream, err := s.Send(ctx, in)
		if err != nil {
			return transfer.SendReply{}, nil, err
		}
		return stream.SendReply, func(ctx context.Context, out *os.File) error {
			defer v.doing("send", in.Dataset)()
			f := &flow{limit: s.Stall}
			defer func() { v.moved(f.moved.Load()) }()
			return f.sendFramed(ctx, slot, sendFrame, stream, out)
		}, nil
	})
	return slot.Close
}

// ServeReceiver registers the calls of a receiver. Done is to be called when
// the connection has ended.
func ServeReceiver(server *rpc.Server, v *Service, r *Receiver) (done func()) {
	slot := &transfer.Slot{}
	r.served = true
	var packs pack.Method
	if r.Decompress {
		packs = pack.Zstd
	}
	v.register(server, SinkRole, packs)
	server.Handle("list", after(v, func(ctx context.Context, in transfer.ListRequest) (iter.Seq2[transfer.Dataset, error], error) {
		defer v.doing("list", "")()
		list, err := r.List(ctx, in)
		return spread(list), err
	}))
	server.Handle("protect", inRun(v, r.Protect))
	server.Handle("held", after(v, r.Held))
	server.Handle("since", after(v, r.Since))
	server.Handle("targets", after(v, r.Targets))
	server.Handle("takes", after(v, r.Takes))
	server.Handle("apply", inRun(v, r.Apply))
	server.Handle("digest", digests(v, r.Digest))
	server.Handle("placeholder", inRun(v, func(ctx context.Context, in transfer.Placeholder) (struct{}, error) {
		return struct{}{}, r.Placeholder(ctx, in)
	}))
	server.Handle("abort", inRun(v, func(ctx context.Context, in transfer.Name) (struct{}, error) {
		return struct{}{}, r.Abort(ctx, in)
	}))
	server.Handle("rename", inRun(v, func(ctx context.Context, in transfer.Rename) (struct{}, error) {
		err := r.Rename(ctx, in)
		if err == nil && v.Renamed != nil {
			v.Renamed(in.From.Dataset, in.To)
		}
		return struct{}{}, err
	}))
	server.Handle("aside", inRun(v, r.SetAside))
	server.Handle("receive", func(ctx context.Context, in transfer.ReceiveRequest, o *rpc.Octets) (transfer.Received, error) {
		if err := v.mayAct(); err != nil {
			return transfer.Received{}, err
		}
		defer v.doing("receive", in.Dataset)()
		if err := r.checkReceive(ctx, in); err != nil {
			return transfer.Received{}, err
		}
		got, err := r.receiveFramed(ctx, in, &transfer.Stream{Slot: slot, Framed: o.File()}, nil)
		v.moved(got.Bytes)
		return got, err
	})
	serveBack(server, v, r, slot)
	return slot.Close
}

// digests makes fn a call for those who said hello. It changes nothing and
// moves no stream, so that it needs no run; but it reads as much as one does, so
// that it takes a place.
func digests(v *Service, fn func(context.Context, transfer.DigestRequest) (transfer.Digest, error)) func(context.Context, transfer.DigestRequest) (transfer.Digest, error) {
	return after(v, func(ctx context.Context, in transfer.DigestRequest) (transfer.Digest, error) {
		if v.run == "" && v.Place != nil {
			leave, err := v.Place(ctx)
			if err != nil {
				return transfer.Digest{}, later(err)
			}
			defer leave()
		}
		defer v.doing("digest", in.Dataset)()
		return fn(ctx, in)
	})
}

// versionsPerValue keeps a line of a list far below what rpc allows for one.
const versionsPerValue = 2000

// spread cuts long histories into several values.
func spread(list []transfer.Dataset) iter.Seq2[transfer.Dataset, error] {
	return func(yield func(transfer.Dataset, error) bool) {
		for _, d := range list {
			rest := d.Versions
			for first := true; first || len(rest) > 0; first = false {
				n := min(len(rest), versionsPerValue)
				d.Versions, rest = rest[:n], rest[n:]
				if !yield(d, nil) {
					return
				}
				d = transfer.Dataset{Name: d.Name}
			}
		}
	}
}

// gather joins what spread cut. It stops the far side as soon as that lists more
// than the limits allow.
func gather(seq iter.Seq2[entry, error], most Limits) ([]transfer.Dataset, error) {
	var list []transfer.Dataset
	snapshots := 0
	names := map[string]string{} // one copy of each
	size := 0
	for e, err := range seq {
		if err != nil {
			return nil, err
		}
		d := e.Dataset
		d.Versions = slices.Clone(slices.Clip(d.Versions)) // without room to spare
		shareNames(d.Versions, names)
		if size += sizeOf(&d); size > maxList {
			return nil, fmt.Errorf("the list takes more than %d bytes of memory: the job covers more than this program allows, or the far side lies", maxList)
		}
		for _, v := range d.Versions {
			if v.Kind == dataset.Snapshot {
				snapshots++
			}
		}
		if most.Snapshots > 0 && snapshots > most.Snapshots {
			return nil, fmt.Errorf("the far side lists more than %d snapshots (limits: snapshots)", most.Snapshots)
		}
		if n := len(list); n > 0 && list[n-1].Name == d.Name {
			list[n-1].Versions = append(list[n-1].Versions, d.Versions...)
			list[n-1].Illegal = cmp.Or(list[n-1].Illegal, d.Illegal)
			continue
		}
		switch {
		case most.Datasets > 0 && len(list) == most.Datasets:
			return nil, fmt.Errorf("the far side lists more than %d datasets (limits: datasets)", most.Datasets)
		case most.Datasets == 0 && len(list) == maxDatasets:
			return nil, fmt.Errorf("the list has more than %d datasets: the job covers more than this program allows, or the far side lies", maxDatasets)
		}
		list = append(list, d)
	}
	return list, nil
}

// maxShared bounds what is kept for names that nobody shares.
const maxShared = 1 << 16

// shareNames has versions with the same names share them: most snapshots are
// taken together with those of other datasets.
func shareNames(versions []dataset.Version, names map[string]string) {
	for i := range versions {
		name, ok := names[versions[i].Name]
		if !ok {
			if len(names) >= maxShared {
				clear(names)
			}
			name = versions[i].Name
			names[name] = name
		}
		versions[i].Name = name
	}
}
