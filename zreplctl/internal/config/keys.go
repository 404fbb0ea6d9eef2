package config

import "slices"

// keysOf holds, for each type of job, the keys it must have and the keys it
// may have, besides those of every job.
var keysOf = map[Type]struct{ must, may []string }{
	Pull: {
		[]string{"connect", "mapping"},
		[]string{"initial_repl_policy", "snapshot_prefix", "snapshots", "shared_prefix", "parallel", "checksum", "compress", "rate", "stall", "recv", "limits", "shared_target", "hooks", "prune", "keep"},
	},
	Source: {
		[]string{"serve", "datasets"},
		[]string{"select", "snapshot_prefix", "snapshots", "shared_prefix", "sessions", "checksum", "compress", "rate", "stall", "cursor", "max_hold", "send", "hooks", "prune", "keep"},
	},
	Push: {
		[]string{"connect", "datasets"},
		[]string{"select", "initial_repl_policy", "snapshot_prefix", "snapshots", "shared_prefix", "parallel", "checksum", "compress", "rate", "stall", "cursor", "send", "limits", "hooks", "prune", "keep"},
	},
	PushSink: {
		[]string{"serve"},
		[]string{"root", "mapping", "snapshot_prefix", "shared_prefix", "checksum", "compress", "rate", "stall", "max_hold", "recv", "restore", "limits", "shared_target", "prune", "keep"},
	},
	Local: {
		[]string{"mapping"},
		[]string{"select", "initial_repl_policy", "snapshot_prefix", "snapshots", "shared_prefix", "parallel", "rate", "stall", "cursor", "send", "recv", "shared_target", "hooks", "prune_lhs", "prune_rhs"},
	},
	Autosnap: {
		[]string{"datasets", "snapshot_prefix"},
		[]string{"select", "shared_prefix", "hooks", "prune", "keep"},
	},
	Prune: {
		[]string{"datasets", "snapshot_prefix"},
		[]string{"select", "shared_prefix", "prune", "keep"},
	},
}

// allKeys are the keys of any job, in the order in which they are written.
var allKeys = []string{
	"name", "type", "connect", "serve", "interval", "cron", "jitter", "window", "at_end", "after", "monitor", "notify", "mapping", "datasets", "select", "root", "shared_target",
	"initial_repl_policy", "snapshot_prefix", "snapshots", "shared_prefix", "parallel", "sessions", "checksum", "compress", "rate", "stall", "cursor", "max_hold", "send", "recv", "restore",
	"limits", "hooks", "prune", "keep", "prune_lhs", "prune_rhs",
}

// everyJob are the keys that every job may have.
var everyJob = []string{"name", "type", "interval", "cron", "jitter", "window", "at_end", "after", "monitor", "notify"}

// allowed reports whether a job of type t may have the key.
func allowed(t Type, key string) bool {
	k := keysOf[t]
	return slices.Contains(everyJob, key) || slices.Contains(k.must, key) || slices.Contains(k.may, key)
}

// insteadOf is the key that one type of job has for what another calls key.
var insteadOf = map[string][]string{
	"mapping":   {"datasets"},
	"datasets":  {"mapping"},
	"root":      {"mapping"},
	"connect":   {"serve"},
	"serve":     {"connect"},
	"prune":     {"prune_lhs", "prune_rhs"},
	"keep":      {"prune_lhs", "prune_rhs"},
	"prune_lhs": {"prune"},
	"prune_rhs": {"prune"},
}
