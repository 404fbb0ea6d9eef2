package config

import (
	"bytes"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Encode writes the configuration with every default filled in, so that
// Parse reads the same from it.
func (c *Config) Encode() ([]byte, error) {
	root := dictionary()
	global := c.Global.encode()
	if len(c.Notify) > 0 {
		global.put("notify", encodeNotify(c.Notify))
	}
	root.put("global", global)
	jobs := &yaml.Node{Kind: yaml.SequenceNode}
	for _, j := range c.Jobs {
		n, err := j.encode()
		if err != nil {
			return nil, err
		}
		jobs.Content = append(jobs.Content, n)
	}
	root.Content = append(root.Content, text("jobs"), jobs)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root.node()); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

// dict is a dictionary that keeps its order.
type dict yaml.Node

func dictionary() *dict          { return &dict{Kind: yaml.MappingNode} }
func (m *dict) node() *yaml.Node { return (*yaml.Node)(m) }

// put appends a key; value is a node, or something that yaml encodes.
func (m *dict) put(key string, value any) error {
	n, ok := value.(*yaml.Node)
	if d, is := value.(*dict); is {
		n, ok = d.node(), true
	}
	if !ok {
		n = &yaml.Node{}
		if err := n.Encode(value); err != nil {
			return err
		}
	}
	m.Content = append(m.Content, text(key), n)
	return nil
}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

func (g *Global) encode() *dict {
	control, serve, sockets, m := dictionary(), dictionary(), dictionary(), dictionary()
	control.put("sockpath", text(g.Control))
	sockets.put("sockdir", text(g.SockDir))
	serve.put("stdinserver", sockets)
	serve.put("limits", g.Limits.encode())
	m.put("rundir", text(g.RunDir))
	m.put("statedir", text(g.StateDir))
	m.put("runs", g.Runs)
	m.put("stop_timeout", text(FormatDuration(g.StopTimeout)))
	if g.Rate != nil {
		m.put("rate", g.Rate.encode())
	}
	if g.Monitor != (Monitor{}) {
		m.put("monitor", g.Monitor.encode())
	}
	m.put("control", control)
	m.put("serve", serve)
	return m
}

func (l Limits) encode() *dict {
	m := dictionary()
	m.put("connections", l.Connections)
	m.put("client_connections", l.ClientConnections)
	if l.Sessions > 0 {
		m.put("sessions", l.Sessions)
	}
	m.put("idle", text(FormatDuration(l.Idle)))
	m.put("silence", text(FormatDuration(l.Silence)))
	return m
}

func (j *Job) encode() (*yaml.Node, error) {
	m := dictionary()
	for _, key := range allKeys {
		value, there := j.value(key)
		if !there {
			continue
		}
		if err := m.put(key, value); err != nil {
			return nil, err
		}
	}
	return m.node(), nil
}

// Same reports whether two jobs say the same.
func Same(a, b *Job) bool {
	one, err := a.encode()
	other, err2 := b.encode()
	if err != nil || err2 != nil {
		return false
	}
	x, err := yaml.Marshal(one)
	y, err2 := yaml.Marshal(other)
	return err == nil && err2 == nil && bytes.Equal(x, y)
}

// value is what the job has under a key, and whether it has it.
func (j *Job) value(key string) (any, bool) {
	switch key {
	case "name":
		return text(j.Name), true
	case "type":
		return text(string(j.Type)), true
	case "interval":
		return text(FormatDuration(j.Interval)), j.Interval > 0
	case "cron", "jitter", "window", "at_end", "after":
		return j.timesValue(key)
	case "notify":
		return encodeNotify(j.Notify), len(j.Notify) > 0
	case "hooks":
		return j.Hooks.encode(), !j.Hooks.None()
	case "monitor":
		return j.Monitor.encode(), j.Monitor != (Limit{})
	case "connect":
		if j.Connect == nil {
			return nil, false
		}
		return encodeConnect(j.Connect), true
	case "serve":
		if j.Serve == nil {
			return nil, false
		}
		return j.Serve.encode(), true
	case "mapping":
		return j.Mapping, j.Mapping != nil
	case "datasets":
		return j.Datasets, j.Datasets != nil
	case "select":
		if j.Select == nil {
			return nil, false
		}
		return encodeSelector(j.Select), true
	case "root":
		return text(j.Root), j.Root != ""
	case "prune":
		return j.Prune, j.Prune != nil
	case "prune_lhs":
		return j.PruneLHS, j.PruneLHS != nil
	case "prune_rhs":
		return j.PruneRHS, j.PruneRHS != nil
	case "snapshot_prefix":
		return text(j.SnapshotPrefix), j.SnapshotPrefix != ""
	case "snapshots":
		if j.SnapshotRules == nil {
			return nil, false
		}
		return encodeSnapshots(j.SnapshotRules), true
	case "sessions":
		return j.Sessions, j.Sessions > 0
	case "restore":
		return text("allow"), j.Restore
	case "rate":
		if j.Rate == nil {
			return nil, false
		}
		return j.Rate.encode(), true
	}
	return j.setting(key), key != "keep" && allowed(j.Type, key)
}

// setting is what the job has under a key that has a default.
func (j *Job) setting(key string) any {
	switch key {
	case "shared_target":
		return j.SharedTarget
	case "shared_prefix":
		return j.SharedPrefix
	case "initial_repl_policy":
		return text(j.InitialReplPolicy)
	case "parallel":
		return j.Parallel
	case "stall":
		return text(FormatDuration(j.Stall))
	case "checksum":
		return text(j.Checksum)
	case "compress":
		return text(j.Compress.String())
	case "cursor":
		return text(string(j.Cursor))
	case "send":
		return j.Send.encode()
	case "recv":
		return j.Recv.encode()
	case "limits":
		return j.Limits.encode(j.Type)
	case "max_hold":
		return text(FormatDuration(j.MaxHold))
	}
	return nil
}

func encodeConnect(c *Connect) *dict {
	m := dictionary()
	m.put("type", text(c.Type))
	for _, word := range []struct{ key, value string }{{"host", c.Host}, {"user", c.User}, {"identity_file", c.IdentityFile}} {
		if word.value != "" {
			m.put(word.key, text(word.value))
		}
	}
	if c.Port != 0 {
		m.put("port", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(c.Port)})
	}
	for _, words := range []struct {
		key    string
		values []string
	}{{"options", c.Options}, {"command", c.Command}} {
		if len(words.values) > 0 {
			m.put(words.key, list(words.values))
		}
	}
	return m
}

func list(values []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range values {
		n.Content = append(n.Content, text(v))
	}
	return n
}

func (s *Send) encode() *dict {
	m := dictionary()
	encrypted := "raw"
	if s.Decrypt {
		encrypted = "plain"
	}
	m.put("encrypted", text(encrypted))
	m.put("large_blocks", s.LargeBlocks)
	m.put("compressed", s.Compressed)
	m.put("embedded", s.Embedded)
	m.put("properties", s.Properties)
	return m
}

func (r *Recv) encode() *dict {
	m, override := dictionary(), dictionary()
	var names []string
	for name := range r.Override {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		override.put(name, text(r.Override[name]))
	}
	encryption := func(off bool) string {
		if off {
			return "off"
		}
		return "inherit"
	}
	m.put("override", override)
	m.put("exclude", list(r.Exclude))
	m.put("placeholder_encryption", text(encryption(r.PlainPlaceholders)))
	m.put("plain_encryption", text(encryption(r.PlainCopies)))
	switch {
	case len(r.Properties) == 0:
		m.put("properties", text("none"))
	default:
		m.put("properties", list(r.Properties))
	}
	renamed := "report"
	if r.Renames {
		renamed = "follow"
	}
	m.put("renamed", text(renamed))
	clones := "full"
	if r.Clones {
		clones = "share"
	}
	m.put("clones", text(clones))
	conflicts := dictionary()
	for _, reason := range dataset.AsideReasons {
		what := "report"
		if slices.Contains(r.Asides, reason) {
			what = "rename"
		}
		conflicts.put(reason, text(what))
	}
	m.put("conflict", conflicts)
	if r.Vanished > 0 {
		vanished := dictionary()
		vanished.put("keep", text(FormatDuration(r.Vanished)))
		m.put("vanished", vanished)
	}
	return m
}
