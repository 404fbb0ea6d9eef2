package health

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

var (
	metricLine = regexp.MustCompile(`^(zreplctl_[a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? -?[0-9]+$`)
	metricName = regexp.MustCompile(`zreplctl_[a-z_]+`)
)

// metrics are the names of all metrics of a report, once each line was checked.
func metrics(t *testing.T, r Report) (names []string) {
	t.Helper()
	var b strings.Builder
	if err := Metrics(&b, r, Daemon{Running: true}); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if f := strings.Fields(line); f[0] == "#" {
			kinds[f[2]]++
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil || kinds[m[1]] != 2 {
			t.Errorf("%q is not a sample of a metric that was described", line)
			continue
		}
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// full is a report with all that metrics can show.
func full() Report {
	f := base()
	f.Type, f.Serves = "source", []string{"me"}
	f.Datasets[0].Client, f.Datasets[0].BehindBytes = "me", new(uint64)
	f.Datasets[0].Verified = ago(day)
	f.Sessions = []Session{{Client: "me", Ended: ago(time.Minute), Streams: 1}}
	return Judge(Input{Now: now, Daemon: Daemon{Running: true}, Jobs: []Facts{f}})
}

// TestMetrics: the format is right whatever is in names, and no dataset is a
// label.
func TestMetrics(t *testing.T) {
	r := full()
	if names := metrics(t, r); len(names) != 23 {
		t.Errorf("%d metrics: %q", len(names), names)
	}
	r.Jobs[0].Name, r.Jobs[0].Clients[0].Name = "a\"b\\c\nd", "\"\n"
	metrics(t, r)
	var b strings.Builder
	Metrics(&b, full(), Daemon{})
	for _, part := range []string{"a/x", "b/x", "dataset="} {
		if strings.Contains(b.String(), part) {
			t.Errorf("%q is in %s", part, b.String())
		}
	}
	for _, want := range []string{`zreplctl_job_age_seconds{backup_job="j",type="source"} 600`, `zreplctl_job_state{backup_job="j",type="source",state="ok"} 1`,
		`zreplctl_client_age_seconds{backup_job="j",client="me"} 600`, "zreplctl_level 0"} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}

// TestMetricsPage: the manual describes each metric, in the unit of its name,
// and no other.
func TestMetricsPage(t *testing.T) {
	text, err := os.ReadFile("../../zreplctl.8")
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ := strings.Cut(string(text), "\n.Ss Metrics\n")
	page, _, _ = strings.Cut(page, "\n.Ss ")
	var described []string
	for _, item := range strings.Split(page, "\n.It Ql ")[1:] {
		name, text, _ := strings.Cut(item, "\n")
		text, _, _ = strings.Cut(text, "\n.El")
		described = append(described, name)
		for end, unit := range map[string]string{"_timestamp_seconds": "seconds since 1970", "_seconds": "seconds", "_bytes": "bytes", "_snapshots": "snapshots", "_streams": "streams"} {
			if text = strings.Join(strings.Fields(text), " "); strings.HasSuffix(name, end) && !strings.Contains(text, unit) {
				t.Errorf("%s: %q does not say that it is in %s", name, text, unit)
			}
		}
	}
	slices.Sort(described)
	if known := metrics(t, full()); !slices.Equal(described, known) {
		t.Errorf("described are %q,\nand there are %q", described, known)
	}
}

// TestMetricsLabels: no label is one that Prometheus sets itself, and would
// overwrite.
func TestMetricsLabels(t *testing.T) {
	var b strings.Builder
	if err := Metrics(&b, full(), Daemon{}); err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`[{,](job|instance)="`).FindAllString(b.String(), -1) {
		t.Errorf("there is a label %s", m)
	}
}

// TestDist: every metric that an alert or the dashboard names exists.
func TestDist(t *testing.T) {
	known := metrics(t, full())
	files, err := filepath.Glob("../../../dist/*.[jy]*") // .json and .yml; the others are about no metric
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := metricName.FindAllString(string(text), -1)
		if len(named) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range named {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which does not exist", file, name)
			}
		}
	}
}

// TestDistDeadHost: a host that is dead has no series. The alerts look back for
// it, as absent() does not tell of one host among others, and ask whether a
// scrape of its daemon fails.
func TestDistDeadHost(t *testing.T) {
	text, err := os.ReadFile("../../../dist/prometheus-alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	const seen = "zreplctl_report_timestamp_seconds"
	exprs := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			exprs[r.Alert] = r.Expr
			rest := strings.NewReplacer("max_over_time("+seen+"[30d])", "", "absent_over_time("+seen+"[30d])", "").Replace(r.Expr)
			if strings.Contains(rest, seen) {
				t.Errorf("%s sees no host that is dead: %s", r.Alert, r.Expr)
			}
		}
	}
	if !strings.Contains(exprs["BackupNotWatched"], "time() - max_over_time("+seen+"[30d]) > 3600") {
		t.Errorf("BackupNotWatched: %s", exprs["BackupNotWatched"])
	}
	if exprs["BackupHostDown"] != `up{job="zreplctl"} == 0` {
		t.Errorf("BackupHostDown: %s", exprs["BackupHostDown"])
	}
}

// TestMetricsOfDaemon: a daemon that was killed and a socket that is broken are
// metrics of their own, and nothing but them turns those on.
func TestMetricsOfDaemon(t *testing.T) {
	for _, c := range []struct {
		name        string
		daemon      Daemon
		broken      string
		died, reach string
	}{
		{"well", Daemon{Running: true}, "", "0", "0"},
		{"killed", Daemon{Died: true}, "", "1", "0"},
		{"killed, and another one runs", Daemon{Died: true, Running: true}, "", "0", "0"},
		{"a broken socket", Daemon{Running: true}, "in use", "0", "1"},
	} {
		f := base()
		f.Type, f.Broken = "source", c.broken
		var b strings.Builder
		if err := Metrics(&b, Judge(Input{Now: now, Daemon: c.daemon, Jobs: []Facts{f}}), c.daemon); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\nzreplctl_daemon_died " + c.died + "\n",
			"\nzreplctl_job_unreachable{backup_job=\"" + f.Name + "\",type=\"source\"} " + c.reach + "\n"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: not %q in:\n%s", c.name, want, b.String())
			}
		}
	}
}
