// Package progress counts what a run of replication has done, for the people
// and programs that watch it.
//
// It promises that a Snapshot is consistent and cheap to take. It prints
// nothing.
package progress

import (
	"sync"
	"time"
)

// State of a dataset within a run.
type State string

// The states.
const (
	Waiting  State = "waiting"
	Sending  State = "sending"
	Done     State = "done"
	UpToDate State = "uptodate"
	Failed   State = "failed"
	// Interrupted: the run ended before the dataset's turn was over.
	Interrupted State = "interrupted"
)

// Dataset is one dataset of a run.
type Dataset struct {
	Source string `json:"source,omitempty"`
	Target string `json:"target"`
	State  State  `json:"state"`
	Steps  int    `json:"steps"`            // in all
	Done   int    `json:"done"`             // of them
	Bytes  uint64 `json:"bytes"`            // received in this run
	Saved  int64  `json:"saved,omitempty"`  // of Bytes, what compression kept off the connection
	Size   uint64 `json:"size,omitempty"`   // what Bytes will be at the end, about; 0: not known
	Moved  int    `json:"moved,omitempty"`  // snapshots received in this run
	To     string `json:"to,omitempty"`     // the newest snapshot both sides have
	Behind int    `json:"behind"`           // snapshots of the sender that the receiver lacks
	Reason string `json:"reason,omitempty"` // why it does not move
	Error  string `json:"error,omitempty"`
	Code   string `json:"code,omitempty"` // what kind of error it is; see package fault
	// Seen is when the run ended that saw the dataset like this, where later
	// runs saw none at all; nil: the last run saw it.
	Seen *Time `json:"seen,omitempty"`
	// Since is when a run first saw the dataset without any snapshot; nil: it has
	// some, or there is a copy.
	Since *Time `json:"since,omitempty"`
	// Anew is when a run began to send all of it once more, because the copy was
	// gone; nil: never.
	Anew *Time `json:"anew,omitempty"`
	// Aside is the name that the copy got that was set aside then; empty: it was gone.
	Aside string `json:"aside,omitempty"`
	// Goes is when the copy goes at the earliest, as its source is gone; nil: it stays.
	Goes *Time `json:"goes,omitempty"`
}

// Snapshot is a run at one moment.
type Snapshot struct {
	Started  Time      `json:"started,omitzero"`
	Bytes    uint64    `json:"bytes"`
	Saved    int64     `json:"saved,omitempty"`
	Datasets []Dataset `json:"datasets"`
}

// Gain is how many times as many bytes a run has moved as have passed the
// connection; 0: nothing was compressed.
func Gain(bytes uint64, saved int64) float64 {
	link := int64(bytes) - saved
	if saved == 0 || bytes == 0 || link <= 0 {
		return 0
	}
	return float64(bytes) / float64(link)
}

// Saved is what compression kept off the connection, of all datasets.
func Saved(datasets []Dataset) (saved int64) {
	for _, d := range datasets {
		saved += d.Saved
	}
	return saved
}

// Ended returns datasets as a run leaves them that is no more: none of them
// waits or is being sent.
func Ended(datasets []Dataset) []Dataset {
	out := append([]Dataset{}, datasets...)
	for i := range out {
		switch d := &out[i]; d.State {
		case Sending:
			d.State, d.Error = Interrupted, "the run ended while this was being sent"
		case Waiting:
			d.State, d.Error = Interrupted, "the run ended before this was sent"
		}
	}
	return out
}

// Tracker is written by a run and read by who watches it.
type Tracker struct {
	mu      sync.Mutex
	started time.Time
	at      map[string]int
	all     []Dataset
}

// Update changes the dataset of a target by fn, which must be quick.
func (t *Tracker) Update(target string, fn func(*Dataset)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == nil {
		t.at, t.started = map[string]int{}, time.Now()
	}
	i, ok := t.at[target]
	if !ok {
		i = len(t.all)
		t.at[target] = i
		t.all = append(t.all, Dataset{Target: target, State: Waiting})
	}
	fn(&t.all[i])
}

// Snapshot returns a copy of what is known now.
func (t *Tracker) Snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Snapshot{Started: At(t.started), Datasets: append([]Dataset{}, t.all...)}
	for _, d := range t.all {
		s.Bytes += d.Bytes
	}
	s.Saved = Saved(t.all)
	return s
}
