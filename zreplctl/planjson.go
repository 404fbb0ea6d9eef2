package main

import (
	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
	"github.com/zrepl-tools/zrepl-tools/lib/plan"
)

// planned is a plan.Result for programs that read JSON: many of them keep
// numbers as floating point, which a guid does not fit into.
type planned struct {
	Source   string         `json:"source,omitempty"`
	Target   string         `json:"target,omitempty"`
	Base     *plannedBase   `json:"base,omitempty"`
	Steps    []plannedStep  `json:"steps"`
	Conflict *plan.Conflict `json:"conflict,omitempty"`
	Discard  string         `json:"discard,omitempty"`
	Note     string         `json:"note,omitempty"`
}

type plannedBase struct {
	Sender   *plannedVersion `json:"sender"`
	Receiver *plannedVersion `json:"receiver"`
}

type plannedStep struct {
	Kind          plan.StepKind    `json:"kind"`
	From          *plannedVersion  `json:"from,omitempty"`
	To            *plannedVersion  `json:"to,omitempty"`
	Brings        []plannedVersion `json:"brings"`
	Origin        string           `json:"origin,omitempty"` // of a clone: the dataset that has From
	Shares        string           `json:"shares,omitempty"` // and the receiver's snapshot that the copy is a clone of
	Force         bool             `json:"force,omitempty"`
	EncryptionOff bool             `json:"encryption_off,omitempty"`
	Reason        string           `json:"reason"`
	Size          uint64           `json:"size,omitempty"` // bytes, about
}

type plannedVersion struct {
	Kind      string `json:"kind"` // snapshot or bookmark
	Name      string `json:"name"`
	GUID      string `json:"guid"`
	CreateTXG uint64 `json:"createtxg"`
}

func plannedOf(r *plan.Result, sizes []uint64) planned {
	p := planned{Source: r.Source, Target: r.Target, Steps: []plannedStep{}, Conflict: r.Conflict, Discard: r.Discard, Note: r.Note}
	if r.Base != nil {
		p.Base = &plannedBase{versionOf(&r.Base.Sender), versionOf(&r.Base.Receiver)}
	}
	for k, s := range r.Steps {
		step := plannedStep{Kind: s.Kind, From: versionOf(s.From), To: versionOf(s.To), Brings: []plannedVersion{},
			Origin: s.Origin, Shares: s.Shares, Force: s.Force, EncryptionOff: s.EncryptionOff, Reason: s.Reason}
		if k < len(sizes) {
			step.Size = sizes[k]
		}
		for i := range s.Brings {
			step.Brings = append(step.Brings, *versionOf(&s.Brings[i]))
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

func versionOf(v *dataset.Version) *plannedVersion {
	if v == nil {
		return nil
	}
	kind := "snapshot"
	if v.Kind == dataset.Bookmark {
		kind = "bookmark"
	}
	return &plannedVersion{Kind: kind, Name: v.Name, GUID: v.GUID.String(), CreateTXG: v.CreateTXG}
}
