package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/zrepl-tools/zrepl-tools/lib/plan"
	"github.com/zrepl-tools/zrepl-tools/lib/progress"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

// A hint follows from the code of an error, and never from its words.
func TestHintByCode(t *testing.T) {
	for _, c := range []struct {
		code, text string
		reason     plan.Reason
		want       string
	}{
		{"denied", "cannot do that", "", "lists the permissions"},
		{"no-key", "cannot do that", "", "zfs load-key"},
		{"", "zfs send: permission denied", "", ""},
		{"from-a-newer-one", "permission denied", "", ""},
		{"denied", "permission denied", plan.NoSpace, "make room"},
	} {
		failed := &job.DatasetsError{Failed: []progress.Dataset{{Source: "a/x", Target: "b/x", State: progress.Failed,
			Reason: string(c.reason), Error: c.text, Code: c.code}}}
		var d *job.DatasetError
		if !errors.As(failed.Each()[0], &d) {
			t.Fatal(failed)
		}
		if got := hint(d); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%q, %q: hint %q", c.code, c.text, got)
		}
	}
}

// TestHintNames: a hint for one dataset says what to type with its names; one
// for several keeps the words that stand for them.
func TestHintNames(t *testing.T) {
	row := func(reason plan.Reason, target, base string) progress.Dataset {
		return progress.Dataset{Source: "a/x", Target: target, State: progress.Failed, Reason: string(reason), To: base}
	}
	for _, c := range []struct {
		rows []progress.Dataset
		want string
	}{
		{[]progress.Dataset{row(plan.NotOffered, "b/x", "")}, "zreplctl forget fetch b/x"},
		{[]progress.Dataset{row(plan.NotOffered, "b/x", ""), row(plan.NotOffered, "b/y", "")}, "zreplctl forget JOB TARGET"},
		{[]progress.Dataset{row(plan.NotOffered, "b/x y", "")}, "zreplctl forget JOB TARGET"},
		{[]progress.Dataset{row(plan.Modified, "b/x", "s1")}, "zfs rollback -r b/x@BASE goes back"},
		{[]progress.Dataset{row(plan.FeatureMissing, "b/x", "")}, "=enabled b"},
	} {
		all := hinted("fetch", (&job.DatasetsError{Failed: c.rows}).Each())
		var h interface{ Hint() string }
		if !errors.As(all[len(all)-1], &h) || !strings.Contains(h.Hint(), c.want) {
			t.Errorf("%v: want %q", all, c.want)
		}
	}
}
