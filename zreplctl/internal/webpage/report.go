// Package webpage writes how the backups are as one page of HTML: without
// scripts, without anything from elsewhere, for a screen of any width, light or
// dark.
//
// All text on it is escaped by html/template; names and errors come from other
// hosts.
package webpage

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/job"
)

// Page is what the page is made from.
type Page struct {
	Host     string
	Report   health.Report
	Past     []job.Past // of all jobs, the oldest first
	Pictures []Picture
}

// Picture is the snapshots of one dataset on this host.
type Picture struct {
	Job, Dataset, Side string
	Dots               []Dot
}

// Dot is one snapshot. Destroy says that the policy destroys it in the next
// run.
type Dot struct {
	Age     time.Duration
	Destroy bool
}

const (
	maxDatasets = 200 // of a job
	maxRuns     = 100 // of a job, in the table
	days        = 30  // of runs
	maxText     = 400 // of an error, in bytes
)

//go:embed page.html
var text string

// Write writes the page.
func Write(w io.Writer, p Page) error {
	t, err := template.New("page").Funcs(functions()).Parse(text)
	if err != nil {
		return err
	}
	return t.Execute(w, view(p))
}

func functions() template.FuncMap {
	return template.FuncMap{
		"line":  func(s string) string { return clean.Line(s, maxText) },
		"field": clean.Field,
		"lower": func(l health.Level) string { return [...]string{"good", "warning", "critical", "unknown"}[l] },
	}
}
