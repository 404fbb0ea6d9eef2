package endpoint

import (
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/transfer"
)

// TestEndlessList: a far side that lists datasets without end is stopped.
func TestEndlessList(t *testing.T) {
	listed := 0
	seq := iter.Seq2[entry, error](func(yield func(entry, error) bool) {
		for listed <= 2*maxDatasets {
			listed++
			if !yield(entry{transfer.Dataset{Name: fmt.Sprint("a/", listed)}}, nil) {
				return
			}
		}
	})
	if _, err := gather(seq, Limits{}); err == nil || !strings.Contains(err.Error(), "more than 200000 datasets") || listed != maxDatasets+1 {
		t.Errorf("after %d datasets: %v", listed, err)
	}
	listed = 0
	if _, err := gather(seq, Limits{Datasets: 5}); err == nil || !strings.Contains(err.Error(), "more than 5 datasets (limits: datasets)") || listed != 6 {
		t.Errorf("at most 5, after %d datasets: %v", listed, err)
	}
}

// TestListOfSnapshots: the snapshots of all datasets count together, and
// bookmarks do not.
func TestListOfSnapshots(t *testing.T) {
	listed := 0
	seq := iter.Seq2[entry, error](func(yield func(entry, error) bool) {
		for listed < 10 {
			listed++
			d := transfer.Dataset{Name: fmt.Sprint("a/", listed/2), Versions: []dataset.Version{{Kind: dataset.Snapshot, Name: "s", GUID: 1}, {Kind: dataset.Bookmark, Name: "b", GUID: 1}}}
			if !yield(entry{d}, nil) {
				return
			}
		}
	})
	if list, err := gather(seq, Limits{Snapshots: 10}); err != nil || len(list) != 6 {
		t.Errorf("%d datasets, %v", len(list), err)
	}
	listed = 0
	if _, err := gather(seq, Limits{Snapshots: 4}); err == nil || !strings.Contains(err.Error(), "more than 4 snapshots (limits: snapshots)") || listed != 5 {
		t.Errorf("at most 4, after %d parts: %v", listed, err)
	}
}
