// Package config reads the configuration of zreplctl, zreplctl.yml(5).
//
// It promises that a loaded Config is complete and consistent: it has checked
// every name, rule, duration and policy and filled in every default. It reports
// everything that is wrong with a file at once, with file, line and column. It
// opens only that file, and neither logs nor starts anything.
package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/pack"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/property"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
)

// Config is a whole configuration.
type Config struct {
	Path     string   // of the file, as it was given
	Files    []string // that, and those that it includes
	Global   Global
	Jobs     []*Job
	Notify   []Notify   // of jobs that have none of their own
	Warnings []*Problem // what is allowed but hardly meant
}

// Global is what the jobs share. All paths are absolute.
type Global struct {
	RunDir   string // locks
	StateDir string // what must survive a reboot
	Control  string // the daemon's control socket
	SockDir  string // the sockets that zstdinserver connects to
	Limits   Limits // of what clients can make this host do
	Monitor  Monitor
	// StopTimeout is how long a run or a connection may take to end when the
	// daemon ends.
	StopTimeout time.Duration
	Rate        *Rate // of all streams of all jobs together; nil: no limit
	Runs        int   // how many runs there may be at once
}

// Monitor says who may ask how the jobs are.
type Monitor struct {
	Group  string // may read StateDir; empty: only its owner
	Listen string // ADDRESS:PORT of the daemon's page and metrics; empty: none
}

// Limit is how old the copies of a job may be. 0 is the default.
type Limit struct{ Warn, Crit time.Duration }

// Limits bound what the clients of serving jobs can use of this host.
type Limits struct {
	Connections       int           // that the daemon serves at once, of all clients
	ClientConnections int           // of one client, with a daemon or without
	Sessions          int           // runs of clients that are served at once; 0: any number
	Idle              time.Duration // between two requests of a connection
	Silence           time.Duration // without a byte, inside a request or a reply
}

// Type is what a job does.
type Type string

// The types of job.
const (
	Pull     Type = "pull"      // fetches datasets from a source job of another host
	Source   Type = "source"    // offers datasets to its clients, and takes snapshots
	Push     Type = "push"      // sends datasets to a push-sink job of another host
	PushSink Type = "push-sink" // takes what one client pushes
	Local    Type = "local"     // replicates between datasets of this host
	Autosnap Type = "autosnap"  // takes snapshots
	Prune    Type = "prune"     // destroys snapshots by a policy
)

// Types lists all types of job.
var Types = []Type{Pull, Source, Push, PushSink, Local, Autosnap, Prune}

// Cursor says how a sender keeps the last snapshot it sent.
type Cursor string

// The kinds of cursor.
const (
	CursorHold     Cursor = "hold"     // the snapshot itself, held
	CursorBookmark Cursor = "bookmark" // a bookmark of it, which takes no space
)

// Job is one job. Which fields are set depends on its type; what does not
// apply to the type has its zero value.
type Job struct {
	Name string
	Type Type
	// Interval or Cron say when the daemon runs it; neither: only when asked to.
	Interval time.Duration
	Cron     *schedule.Cron
	Jitter   time.Duration    // by how much its times are later at most
	Window   *schedule.Window // outside of which the daemon starts no run; nil: none
	AtEnd    string           // of the window: stop or finish what runs
	After    string           // a job with which it does not run at one time

	Connect *Connect // pull and push
	Serve   *Serve   // source and push-sink

	// Mapping says which datasets of the sender go where on the receiver:
	// pull, local, and a push-sink that has no Root.
	Mapping *mapfilter.Rules
	// Datasets says which datasets take part: source, push, autosnap, prune.
	Datasets *mapfilter.Rules
	// Select chooses among the datasets of this host that Datasets or, of a local
	// job, Mapping allow; nil: all of them.
	Select *property.Selector
	// Choices are what Select says of each of them; nil: nobody has looked. See
	// Narrowed.
	Choices map[string]property.Choice
	// Root is the dataset below which everything lands, of a push-sink that
	// says root instead of mapping.
	Root string
	// SharedTarget allows other jobs to write into this one's target.
	SharedTarget bool
	// SharedPrefix allows other jobs that say so to take and prune the same
	// snapshots.
	SharedPrefix bool

	InitialReplPolicy string // most_recent, all or fail
	SnapshotPrefix    string
	SnapshotRules     *plan.Rules   // what else decides which snapshots are replicated; nil: nothing
	Parallel          int           // connections, at least 1
	Checksum          string        // of the streams on connections: none or crc32c
	Compress          pack.Method   // of a source or a push: of its streams on connections; of others: whether they may be
	Rate              *Rate         // of all its streams together; nil: no limit
	Stall             time.Duration // for how long nothing of a stream may move
	Cursor            Cursor        // of a sender: source, push and local
	Send              Send          // of a sender
	Recv              Recv          // of a receiver: pull, push-sink and local
	Restore           bool          // of a push-sink: its client may have back what it has sent
	Limits            PeerLimits    // of what the other host can make the job take
	Sessions          int           // of a source: its clients that are served at once; 0: all
	Notify            []Notify      // instead of the configuration's
	Hooks             Hooks         // the commands that its runs call
	Monitor           Limit         // the ages from which its copies are late
	MaxHold           time.Duration // of a source or a push-sink: its client's holds that are older are warned of; 0: never

	Prune    *retention.Policy // of the job's own side; nil: destroys nothing
	PruneLHS *retention.Policy // local: of the source
	PruneRHS *retention.Policy // local: of the target

	wide  *Job             // of one that was narrowed: what it was
	piles []string         // "takes", "receives": how it comes by snapshots that nothing destroys
	at    map[string]place // where its keys stand
	meant map[string]bool  // keys that unknown ones were probably meant for
}

// Serve says to whom a job is open, and how.
type Serve struct {
	Type    string   // stdinserver
	Clients []string // identities, at least one; a push-sink has just one
}

// Send says how zfs send is called.
type Send struct {
	Decrypt bool // send encrypted datasets as plain text; otherwise raw (-w)
	dataset.SendOptions
	Properties bool // tells the receiver what each dataset has set or received
}

// Recv says how copies are made.
type Recv struct {
	Override map[string]string // what every new copy gets
	// Properties are the properties that are taken from the sender, and Exclude
	// those of them that are not: see property.Rules.
	Properties []string
	Exclude    []string
	// PlainPlaceholders creates placeholders below an encrypted dataset whose
	// key is not loaded with encryption=off.
	PlainPlaceholders bool
	// PlainCopies stores what is sent as plain text without encryption.
	PlainCopies bool
	// Renames gives a copy another name if its source was renamed.
	Renames bool
	// Clones makes the copy of a clone one of its origin's copy.
	Clones bool
	// Asides are the conflicts for which a copy is set aside; see
	// dataset.AsideReasons.
	Asides []string
	// Vanished is for how long a copy stays whose source is gone; 0: for ever.
	Vanished time.Duration
}

// PeerLimits bound what the other host can make a job take: what a push-sink's
// client can fill, or what the other end of a pull or push job can list. 0: the
// file names none.
type PeerLimits struct {
	Datasets  int
	Snapshots int
	Quota     bool // refuse to receive if no quota stands above
}

// Job returns the job of this name.
func (c *Config) Job(name string) (*Job, error) {
	for _, j := range c.Jobs {
		if j.Name == name {
			return j, nil
		}
	}
	return nil, &noJobError{name, c}
}

// Serving returns the job that serves this client identity.
func (c *Config) Serving(identity string) (*Job, error) {
	for _, j := range c.Jobs {
		if slices.Contains(j.Clients(), identity) {
			return j, nil
		}
	}
	return nil, fmt.Errorf("no job in %q serves the client %q", c.Path, identity)
}

type noJobError struct {
	name string
	c    *Config
}

func (e *noJobError) Error() string {
	return fmt.Sprintf("no job %q in %q", e.name, e.c.Path)
}

// Hint names the job that was meant, or all of them.
func (e *noJobError) Hint() string {
	var names []string
	for _, j := range e.c.Jobs {
		names = append(names, j.Name)
	}
	if close := Nearest(e.name, names); close != "" {
		return fmt.Sprintf("did you mean %q?", close)
	}
	return "the jobs are " + strings.Join(names, ", ")
}

// Clients returns the identities that the job serves.
func (j *Job) Clients() []string {
	if j.Serve == nil {
		return nil
	}
	return j.Serve.Clients
}

// IDs are what names the job's protection on a sender, one for each receiver:
// the clients' identities, or the job's name if it serves none.
func (j *Job) IDs() []string {
	if j.Serve != nil {
		return j.Serve.Clients
	}
	return []string{j.Name}
}

// place is a line and a column, both from 1. Lines of files that are included
// count on: see linesPerFile.
type place struct{ line, column int }

// problem makes one of a place in one of files.
func (p place) problem(files []string, message string) *Problem {
	at := min(p.line/linesPerFile, len(files)-1)
	return &Problem{files[at], p.line % linesPerFile, p.column, message, at}
}

// in is how a place is named in another file, or in the same.
func (p place) in(files []string, from place) string {
	if p.line/linesPerFile == from.line/linesPerFile {
		return "in line " + strconv.Itoa(p.line%linesPerFile)
	}
	return "in " + files[p.line/linesPerFile] + ":" + strconv.Itoa(p.line%linesPerFile)
}

func (p place) before(q place) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// Problem makes one of a job, at one of its keys, such as "connect" or
// "connect: host".
func (c *Config) Problem(j *Job, key, message string) *Problem {
	at := j.key(key)
	return at.problem(c.Files, fmt.Sprintf("job %q: %s", j.Name, message))
}

// SortWarnings brings the warnings into the order of the file.
func (c *Config) SortWarnings() { slices.SortStableFunc(c.Warnings, inOrder) }

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1; 0: the whole file
	Column  int    `json:"column"` // from 1, in characters
	Message string `json:"message"`

	order int // of the file
}

// Error is file:line:column: message.
func (p *Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where += ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
	}
	return where + ": " + p.Message
}
