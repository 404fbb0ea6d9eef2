package job_test

import (
	"encoding/json"
	"strings"
)

// row is a dataset in zreplctl status -json.
type row struct {
	Source, Target, State, Reason, Error, To, Seen string
	Behind                                         int
	Bytes                                          uint64
}

type shown struct {
	Name, State string
	Last        struct {
		Status  int
		Error   string
		Stopped bool
	}
	Success  string
	Progress struct{ Datasets []row }
}

// shown is a job in zreplctl status -json.
func (w *world) shown(name string) (job shown) {
	w.t.Helper()
	code, said := w.ctl("status", "-json")
	var s struct{ Jobs []shown }
	if err := json.Unmarshal([]byte(said), &s); code != 0 || err != nil {
		w.t.Fatal(code, err, said)
	}
	if strings.Contains(said, "null") || strings.Contains(said, "0001-01-01") {
		w.t.Errorf("nulls or no times: %s", said)
	}
	for _, j := range s.Jobs {
		if j.Name == name {
			return j
		}
	}
	w.t.Fatalf("no job %q: %s", name, said)
	return job
}

func (j shown) row(source string) row {
	for _, r := range j.Progress.Datasets {
		if r.Source == source {
			return r
		}
	}
	return row{}
}
