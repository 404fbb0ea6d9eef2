package control

import (
	"context"
	"errors"
	"iter"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// big is a daemon with very many datasets.
type big struct{ status Status }

func (b big) Status() Status { return b.status }
func (b big) Watch(context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) { yield(b.status) }
}
func (big) Stop(context.Context, Request) (int, error)              { return 0, ErrNoJob }
func (big) Look(context.Context, Request) error                     { return ErrNoJob }
func (big) Reload(context.Context, string) (Reloaded, error)        { return Reloaded{}, nil }
func (b big) Run(context.Context, Request) (iter.Seq[Event], error) { return nil, ErrNoJob }

// TestBigStatus: the limits of calls between hosts are not those of a status.
func TestBigStatus(t *testing.T) {
	dir, err := os.MkdirTemp("", "c")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "control")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	s := progress.Snapshot{Datasets: make([]progress.Dataset, 18_000)}
	for i := range s.Datasets {
		s.Datasets[i] = progress.Dataset{Target: "pool/a", Error: strings.Repeat("long ", 200)}
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, l, big{Status{Jobs: []Job{{Name: "big", Progress: &s}}}}) }()
	got, err := Get(ctx, path)
	if err != nil || len(got.Jobs) != 1 || len(got.Jobs[0].Progress.Datasets) != 18_000 {
		t.Errorf("%d jobs, %v", len(got.Jobs), err)
	}
	seen := 0
	for _, err := range Watch(ctx, path) {
		if err != nil {
			t.Error(err)
		}
		seen++
	}
	if seen != 1 {
		t.Errorf("%d statuses", seen)
	}
	if _, handled, err := RunJob(ctx, path, Request{Job: "none"}, Follower{}); handled || err != nil {
		t.Errorf("a job that it does not have: %v, %v", handled, err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := Get(t.Context(), path); !errors.Is(err, ErrAway) {
		t.Errorf("without a daemon: %v", err)
	}
}
