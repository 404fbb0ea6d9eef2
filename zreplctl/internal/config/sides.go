package config

import (
	"github.com/zrepl-tools/zrepl-tools/lib/mapfilter"
	"github.com/zrepl-tools/zrepl-tools/lib/retention"
)

// ends are what a type of job does with datasets of this host, and whether a
// run of the job is what replicates: it then has both ends at hand.
type ends struct{ sends, receives, replicates bool }

func (t Type) ends() ends {
	switch t {
	case Pull:
		return ends{receives: true, replicates: true}
	case Push:
		return ends{sends: true, replicates: true}
	case Local:
		return ends{sends: true, receives: true, replicates: true}
	case Source:
		return ends{sends: true}
	case PushSink:
		return ends{receives: true}
	}
	return ends{}
}

// Sends reports whether a job's host sends.
func (j *Job) Sends() bool { return j.Type.ends().sends }

// Receives reports whether a job's host receives.
func (j *Job) Receives() bool { return j.Type.ends().receives }

// Replicates reports whether a run of the job replicates: it has both ends.
func (j *Job) Replicates() bool { return j.Type.ends().replicates }

// Snapshots reports whether a run of the job takes snapshots. Without a prefix
// no policy could tell them from others, and they would stay for ever.
func (j *Job) Snapshots() bool { return j.Type.takes() && j.SnapshotPrefix != "" }

// takes reports whether a job of this type takes snapshots if it has a prefix.
func (t Type) takes() bool { return t.ends().sends || t == Autosnap }

// Prunes reports whether the job has a policy at all.
func (j *Job) Prunes() bool { return j.Prune != nil || j.PruneLHS != nil || j.PruneRHS != nil }

// The two sides that a job can have on its host.
const (
	SourceSide = "source" // datasets that it sends, or only snapshots and prunes
	TargetSide = "target" // datasets that it receives
)

// Side is a set of datasets of this host that a job is about, and what the job
// does with their snapshots.
type Side struct {
	Name   string           // SourceSide or TargetSide
	Key    string           // of the rules in the file: datasets, mapping or root
	Named  []string         // the datasets of this host that the rules name
	Region mapfilter.Region // the datasets
	Roots  []string         // below which they are
	All    bool             // they are everything there is, and have no roots
	Takes  bool             // a run takes snapshots of them

	Policy    *retention.Policy // of their snapshots; nil: destroys none
	PolicyKey string            // of the policy in the file: prune, prune_lhs or prune_rhs
}

// Sides returns the source before the target. A side whose rules are missing or
// wrong is left out.
func (j *Job) Sides() (sides []Side) {
	if rules := j.Sources(); rules != nil && (j.Sends() || !j.Receives()) {
		s := Side{Name: SourceSide, Key: j.sourcesKey(), Named: rules.Named(), Region: rules.From(), Takes: j.Snapshots()}
		s.Roots, s.All = rules.Roots()
		sides = append(sides, s.with(j.Prune, "prune", j.PruneLHS, "prune_lhs", j.Type == Local))
	}
	if !j.Receives() {
		return sides
	}
	s := Side{Name: TargetSide, Key: "mapping", Named: j.Targets(), Roots: j.Targets()}
	switch {
	case j.Root != "":
		s.Key, s.Region = "root", mapfilter.Below(j.Root)
	case j.Mapping != nil:
		s.Region = j.Mapping.Into()
	default:
		return sides
	}
	return append(sides, s.with(j.Prune, "prune", j.PruneRHS, "prune_rhs", j.Type == Local))
}

// with gives a side its policy: the job's only one, or its own where the job
// has one for each side.
func (s Side) with(only *retention.Policy, onlyKey string, own *retention.Policy, ownKey string, each bool) Side {
	s.Policy, s.PolicyKey = only, onlyKey
	if each {
		s.Policy, s.PolicyKey = own, ownKey
	}
	return s
}

// Sources are the rules about what the sender has, nil for those of a
// push-sink with a root.
func (j *Job) Sources() *mapfilter.Rules {
	if j.Datasets != nil {
		return j.Datasets
	}
	return j.Mapping
}

func (j *Job) sourcesKey() string {
	if j.Datasets != nil {
		return "datasets"
	}
	return "mapping"
}

// Targets returns the datasets of this host below which the job receives.
func (j *Job) Targets() []string {
	switch {
	case j.Root != "":
		return []string{j.Root}
	case j.Mapping != nil:
		return j.Mapping.Targets()
	}
	return nil
}
