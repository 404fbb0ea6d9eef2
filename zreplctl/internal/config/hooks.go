package config

import (
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
)

// Hooks are the commands that the runs of a job call, in this order.
type Hooks struct {
	Before         []Hook // before anything else
	BeforeSnapshot []Hook
	AfterSnapshot  []Hook
	After          []Hook // when the run has ended, however
}

// Hook is a command of a run.
type Hook struct {
	Command   []string
	Timeout   time.Duration
	OnFailure string           // Skip, Abort or Ignore
	Datasets  *mapfilter.Rules // whose snapshots it concerns; nil: all of the job
	Each      bool             // it runs once for each of them, not once for all
	// Hold lets it run until the snapshots are taken: it prints "ready" when
	// they may be, and ends when its standard input does.
	Hold bool
}

// What happens if a hook fails.
const (
	Skip   = "skip"   // the run goes on without it, and without its datasets if these have no snapshot yet
	Abort  = "abort"  // the run ends
	Ignore = "ignore" // the run goes on as if it had not failed
)

// The keys of the hooks, which are their names in messages, too.
const (
	KeyBefore         = "before"
	KeyBeforeSnapshot = "before_snapshot"
	KeyAfterSnapshot  = "after_snapshot"
	KeyAfter          = "after"
)

var hookKeys = []string{KeyBefore, KeyBeforeSnapshot, KeyAfterSnapshot, KeyAfter}

// None reports whether there is no hook.
func (h *Hooks) None() bool {
	return !slices.ContainsFunc(hookKeys, func(key string) bool { return len(*h.list(key)) > 0 })
}

// list is the list under one of the keys.
func (h *Hooks) list(key string) *[]Hook {
	switch key {
	case KeyBefore:
		return &h.Before
	case KeyBeforeSnapshot:
		return &h.BeforeSnapshot
	case KeyAfterSnapshot:
		return &h.AfterSnapshot
	}
	return &h.After
}

// Passes reports whether the hook concerns a dataset of the job.
func (h *Hook) Passes(ds string) bool { return h.Datasets == nil || h.Datasets.Pass(ds) }

// The limits of a hook: a day is more than any snapshot is waited for.
const (
	maxHooks       = 20
	maxHookTimeout = 24 * time.Hour
)

// hooks reads the hooks of a job. Only its own runs call them: a job that a
// client of another host sets going has none.
func (d *decoder) hooks(n *yaml.Node, what string, j *Job) {
	d.dict(n, what, hookKeys, func(key string, k, v *yaml.Node) {
		part := what + ": " + key
		ofSnapshots := key == KeyBeforeSnapshot || key == KeyAfterSnapshot
		switch {
		case ofSnapshots && !j.Type.takes():
			d.wrong(k, "%s: %s job takes no snapshots", part, withArticle(j.Type))
			return
		case !ofSnapshots && !j.Replicates():
			d.wrong(k, "%s: %s job has only before_snapshot and after_snapshot", part, withArticle(j.Type))
			return
		}
		list := j.Hooks.list(key)
		d.list(v, part, func(v *yaml.Node) {
			if len(*list) == maxHooks {
				d.wrong(v, "%s: more than %d", part, maxHooks)
				return
			}
			*list = append(*list, d.hook(v, part, key, ofSnapshots))
		})
	})
}

func (d *decoder) hook(n *yaml.Node, what, when string, ofSnapshots bool) Hook {
	h := Hook{Timeout: defaultHookTimeout, OnFailure: Skip}
	if when == KeyBefore {
		h.OnFailure = Abort
	}
	keys := []string{"command", "timeout", "on_failure"}
	if ofSnapshots {
		keys = append(keys, "datasets", "each_dataset")
	}
	if when == KeyBeforeSnapshot {
		keys = append(keys, "hold")
	}
	isDict := d.dict(n, what, keys, func(key string, _, v *yaml.Node) {
		part := what + ": " + key
		switch key {
		case "command":
			h.Command = d.strings(v, part)
		case "timeout":
			if h.Timeout = d.duration(v, part, ""); h.Timeout > maxHookTimeout {
				d.wrong(v, "%s: %s is too long: at most %s", part, FormatDuration(h.Timeout), FormatDuration(maxHookTimeout))
			}
		case "on_failure":
			h.OnFailure = d.word(v, part, Skip, Abort, Ignore)
		case "datasets":
			h.Datasets = d.rules(v, part, false)
		case "each_dataset":
			h.Each = d.boolean(v, part)
		case "hold":
			h.Hold = d.boolean(v, part)
		}
	})
	if isDict && len(h.Command) == 0 {
		d.wrong(n, "%s: command is missing or empty", what)
	}
	return h
}

// checkHooks finds hooks that no run calls.
func (d *decoder) checkHooks(j *Job, what string) {
	if j.SnapshotPrefix != "" || len(j.Hooks.BeforeSnapshot)+len(j.Hooks.AfterSnapshot) == 0 {
		return
	}
	d.wrongAt(j.at["hooks"], "%s: hooks: without snapshot_prefix the job takes no snapshots, and before_snapshot and after_snapshot do not run", what)
}

// Text writes hooks so that ParseHooks reads the same from it.
func (h *Hooks) Text() (string, error) {
	text, err := yaml.Marshal(h.encode().node())
	return string(text), err
}

// ParseHooks reads what Text wrote.
func ParseHooks(text string) (Hooks, error) {
	var h Hooks
	d := newDecoder("hooks")
	if root := d.document([]byte(text)); root != nil {
		d.dict(root, "hooks", hookKeys, func(key string, _, v *yaml.Node) {
			list := h.list(key)
			d.list(v, key, func(v *yaml.Node) {
				*list = append(*list, d.hook(v, key, key, key == KeyBeforeSnapshot || key == KeyAfterSnapshot))
			})
		})
	}
	return h, d.err()
}

func (h *Hooks) encode() *dict {
	m := dictionary()
	for _, key := range hookKeys {
		if all := *h.list(key); len(all) > 0 {
			list := &yaml.Node{Kind: yaml.SequenceNode}
			for i := range all {
				list.Content = append(list.Content, all[i].encode().node())
			}
			m.put(key, list)
		}
	}
	return m
}

func (h *Hook) encode() *dict {
	m := dictionary()
	m.put("command", list(h.Command))
	m.put("timeout", text(FormatDuration(h.Timeout)))
	m.put("on_failure", text(h.OnFailure))
	if h.Datasets != nil {
		m.put("datasets", h.Datasets)
	}
	if h.Each {
		m.put("each_dataset", true)
	}
	if h.Hold {
		m.put("hold", true)
	}
	return m
}
