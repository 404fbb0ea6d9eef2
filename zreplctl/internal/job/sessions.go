package job

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/child"
	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/state"
)

// Session is a connection of a client that was part of a run.
type Session struct {
	Started progress.Time `json:"started,omitzero"`
	Ended   progress.Time `json:"ended,omitzero"`
	Streams int           `json:"streams"`
	// Restored are the streams with which the client took back what it had sent.
	Restored int    `json:"restored,omitempty"`
	Bytes    uint64 `json:"bytes,omitempty"` // of these streams, also of those that were cut
	Error    string `json:"error,omitempty"`
}

// sessions is the file about a client.
type sessions struct {
	Last    Session   `json:"last"`
	History []Session `json:"history,omitempty"` // of those that moved something or failed, the oldest first
	// Covered are the datasets that were ever sent to the client, or received
	// from it, until a person says that they are to be forgotten. A client can
	// release its holds, and cannot make a copy be forgotten.
	Covered []string `json:"covered,omitempty"`
	// Whole says that Covered goes back to the client's first run, or that what
	// was before was looked for.
	Whole bool `json:"whole,omitempty"`
	// Cut says that Covered had no room for all.
	Cut bool `json:"cut,omitempty"`
	// Looked is when a look for what was before began last. It may have been
	// killed with the connection.
	Looked progress.Time `json:"looked,omitzero"`
}

const (
	maxSessions   = 8 << 20 // of the file, in bytes
	maxHistory    = 500
	maxCovered    = 20_000
	maxErrorBytes = 1000
)

func sessionsName(client string) string { return client + ".sessions" }

func readSessions(dir state.Dir, client string) (s sessions, err error) {
	if err := readNote(dir, sessionsName(client), maxSessions, &s); err != nil {
		return sessions{}, unlessMissing(err)
	}
	return s, nil
}

// ReadSession returns the last connection of a client that was part of a run.
// Its end is zero if there was none.
func ReadSession(dir state.Dir, client string) (Session, error) {
	s, err := readSessions(dir, client)
	return s.Last, err
}

// ReadSessions returns the connections of a client that moved something or
// failed, the oldest first.
func ReadSessions(dir state.Dir, client string) ([]Session, error) {
	s, err := readSessions(dir, client)
	return s.History, err
}

// ReadCovered returns the datasets that were ever sent to a client, or received
// from it. Known is
// false if that was never noted, or was lost.
func ReadCovered(dir state.Dir, client string) (names []string, known bool) {
	s, err := readSessions(dir, client)
	return s.Covered, err == nil && s.Whole
}

// Uncover forgets that datasets were ever sent to a client or received from
// it, and returns those that were.
func Uncover(dir state.Dir, client string, names []string, dry bool) (were []string, err error) {
	s, err := readSessions(dir, client)
	if err != nil {
		return nil, err
	}
	for _, name := range s.Covered {
		if slices.Contains(names, name) {
			were = append(were, name)
		}
	}
	if dry || len(were) == 0 {
		return were, nil
	}
	return were, updateSessions(dir, client, func(s *sessions) {
		s.Covered = slices.DeleteFunc(s.Covered, func(name string) bool { return slices.Contains(names, name) })
	})
}

func updateSessions(dir state.Dir, client string, change func(*sessions)) error {
	return dir.Update(sessionsName(client), maxSessions, func(old []byte) ([]byte, error) {
		var s sessions
		if json.Unmarshal(old, &s) != nil {
			s = sessions{}
		}
		change(&s)
		text, err := clean.JSON(s)
		return append(text, '\n'), err
	})
}

// cover notes that datasets were sent. A list that leaves one out is no longer
// whole.
func (s *sessions) cover(names []string) {
	known := map[string]bool{}
	for _, name := range s.Covered {
		known[name] = true
	}
	for _, name := range names {
		switch {
		case known[name]:
		case len(s.Covered) >= maxCovered:
			s.Whole, s.Cut = false, true
			return
		default:
			known[name] = true
			s.Covered = append(s.Covered, name)
		}
	}
}

// visit counts what a connection does, to note it when it has ended.
type visit struct {
	mu      sync.Mutex
	started time.Time
	run     bool
	// restores: the client takes back what it has sent. That is no run of its job:
	// nothing has come of which the age of a copy could tell.
	restores bool
	restored int // streams
	streams  int
	bytes    uint64
	covered  map[string]bool // what was sent or received
	renamed  [][2]string     // copies, from and to, in order
	wrote    time.Time       // when renamed was written last
}

// renames notes that a copy has another name, with all below it. Of many, what is
// written within a second is written at once.
func (v *visit) renames(dir state.Dir, client, from, to string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.renamed = append(v.renamed, [2]string{from, to})
	for name := range v.covered {
		if dataset.Within(name, from) {
			delete(v.covered, name)
			v.covered[to+strings.TrimPrefix(name, from)] = true
		}
	}
	if time.Since(v.wrote) > time.Second && moveCovered(dir, client, v.nameNow) == nil {
		v.renamed, v.wrote = nil, time.Now()
	}
}

// nameNow is the name that a copy has after what is still to be written.
func (v *visit) nameNow(name string) string {
	for _, r := range v.renamed {
		if dataset.Within(name, r[0]) {
			name = r[1] + strings.TrimPrefix(name, r[0])
		}
	}
	return name
}

// moveCovered gives what was sent or received the names that it has now.
func moveCovered(dir state.Dir, client string, now func(name string) string) error {
	return updateSessions(dir, client, func(s *sessions) { s.move(now) })
}

func (s *sessions) move(now func(name string) string) {
	for i, name := range s.Covered {
		s.Covered[i] = now(name)
	}
	slices.Sort(s.Covered)
	s.Covered = slices.Compact(s.Covered)
}

func newVisit() *visit { return &visit{started: time.Now(), covered: map[string]bool{}} }

func (v *visit) hello() { v.mu.Lock(); v.run = true; v.mu.Unlock() }

// doing takes what the server says that it does.
func (v *visit) doing(what, dataset string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.restores = v.restores || slices.Contains([]string{"copies", "pin", "restore", "sizes"}, what)
	if what == "restore" {
		v.restored++
	}
	if what == "send" || what == "receive" {
		v.streams++
		if len(v.covered) <= maxCovered { // one more than are kept: then it shows that some are left out
			v.covered[dataset] = true
		}
	}
}

// moved counts the bytes of a stream that has ended.
func (v *visit) moved(bytes uint64) { v.mu.Lock(); v.bytes += bytes; v.mu.Unlock() }

// note writes down how the connection ended. A client that only looked leaves
// nothing.
func (v *visit) note(dir state.Dir, client string, err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.run {
		return nil
	}
	one := Session{Started: progress.At(v.started), Ended: progress.At(time.Now()), Streams: v.streams, Restored: v.restored, Bytes: v.bytes}
	if err != nil {
		one.Error = child.Clean(err.Error(), maxErrorBytes)
	}
	return updateSessions(dir, client, func(s *sessions) {
		s.move(v.nameNow)
		if !v.restores {
			s.Last = one
		}
		if one.Streams+one.Restored > 0 || one.Error != "" {
			s.History = append(s.History, one)
			s.History = s.History[max(0, len(s.History)-maxHistory):]
		}
		s.cover(slices.Sorted(maps.Keys(v.covered)))
	})
}
