package health

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/lib/progress"
)

// states are all of them, in the order in which metrics have them.
var states = [...]State{OK, Running, Paused, Late, NotOffered, Never, Failed}

// metric is one family of Prometheus's text format.
type metric struct {
	name, help string
	lines      []string
}

func (m *metric) add(value string, labels ...string) {
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	set := ""
	if len(pairs) > 0 {
		set = "{" + strings.Join(pairs, ",") + "}"
	}
	m.lines = append(m.lines, "zreplctl_"+m.name+set+" "+value)
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// Metrics writes the report in Prometheus's text format. Its labels are names
// of jobs and clients of the configuration, never names of datasets: those
// have no bound. None is named job: Prometheus overwrites that one with the name
// of its own job, that of the scrape.
func Metrics(w io.Writer, r Report, daemon Daemon) error {
	var b strings.Builder
	for _, m := range append(about(r, daemon), append(ofJobs(r), ofClients(r)...)...) {
		if len(m.lines) == 0 {
			continue
		}
		fmt.Fprintf(&b, "# HELP zreplctl_%s %s\n# TYPE zreplctl_%s gauge\n%s\n", m.name, m.help, m.name, strings.Join(m.lines, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func about(r Report, daemon Daemon) []*metric {
	made := &metric{name: "report_timestamp_seconds", help: "When this report was made."}
	made.add(strconv.FormatInt(r.Made.Unix(), 10))
	level := &metric{name: "level", help: "How it is: 0 well, 1 warning, 2 critical, 3 unknown."}
	level.add(strconv.Itoa(int(r.Level)))
	runs := &metric{name: "daemon_running", help: "Whether a daemon runs."}
	runs.add(flag(daemon.Running))
	stale := &metric{name: "daemon_config_stale", help: "Whether the configuration was changed since the daemon started."}
	stale.add(flag(daemon.Running && daemon.Stale))
	died := &metric{name: "daemon_died", help: "Whether the last daemon was killed, and none runs since."}
	died.add(flag(daemon.Died && !daemon.Running))
	return []*metric{made, level, runs, stale, died}
}

func ofJobs(r Report) []*metric {
	level := &metric{name: "job_level", help: "How the job is: 0 well, 1 warning, 2 critical, 3 unknown."}
	state := &metric{name: "job_state", help: "1 for the state that the job is in, 0 for the others."}
	copies := &metric{name: "job_copies", help: "Copies of datasets, by their state."}
	age := &metric{name: "job_age_seconds", help: "Age of the newest common snapshot of the job's oldest copy."}
	warn := &metric{name: "job_age_warn_seconds", help: "Age from which a copy is late."}
	crit := &metric{name: "job_age_crit_seconds", help: "Age from which a copy is critical."}
	behind := &metric{name: "job_behind_snapshots", help: "Snapshots that the copies lack. Absent if it is not known of each copy."}
	bytes := &metric{name: "job_behind_bytes", help: "About how much was written in the snapshots that the copies lack. Absent if it is not known of each copy."}
	verified := &metric{name: "job_verified_copies", help: "Copies that were compared with their sources at least once."}
	oldest := &metric{name: "job_verified_timestamp_seconds", help: "When that copy was compared with its source whose last comparison is longest ago, of those whose sources are there. Absent if no copy ever was."}
	differ := &metric{name: "job_differing_copies", help: "Copies that differed from their sources when they were last compared."}
	asides := &metric{name: "job_set_aside_copies", help: "Copies that were set aside and take space until somebody destroys them."}
	broken := &metric{name: "job_unreachable", help: "Whether clients cannot reach the job: its socket is broken."}
	attempt := &metric{name: "job_last_attempt_timestamp_seconds", help: "When the last run ended."}
	success := &metric{name: "job_last_success_timestamp_seconds", help: "When the last run ended that did all of it."}
	for _, j := range r.Jobs {
		l := []string{"backup_job", j.Name, "type", j.Type}
		level.add(strconv.Itoa(int(j.Level)), l...)
		count := map[State]int{}
		for _, d := range j.Datasets {
			count[d.State]++
		}
		seen := comparisons(j)
		verified.add(strconv.Itoa(seen.verified), l...)
		differ.add(strconv.Itoa(seen.differ), l...)
		at(oldest, seen.oldest, l...)
		for _, s := range states {
			with := append(append([]string{}, l...), "state", string(s))
			state.add(flag(j.State == s), with...)
			copies.add(strconv.Itoa(count[s]), with...)
		}
		if j.Age != nil {
			age.add(strconv.FormatInt(*j.Age, 10), l...)
		}
		warn.add(strconv.FormatInt(j.Warn, 10), l...)
		crit.add(strconv.FormatInt(j.Crit, 10), l...)
		if j.Behind != nil {
			behind.add(strconv.Itoa(*j.Behind), l...)
		}
		if j.BehindBytes != nil {
			bytes.add(strconv.FormatUint(*j.BehindBytes, 10), l...)
		}
		asides.add(strconv.Itoa(len(j.Asides)), l...)
		broken.add(flag(j.Broken != ""), l...)
		at(attempt, j.Attempt, l...)
		at(success, j.Success, l...)
	}
	return []*metric{level, state, copies, age, warn, crit, behind, bytes, verified, oldest, differ, asides, broken, attempt, success}
}

// compared sums up the comparisons of a job's copies with their sources.
type compared struct {
	verified, differ int
	oldest           *progress.Time
}

func comparisons(j Job) (c compared) {
	for _, d := range j.Datasets {
		if d.Verified == nil {
			continue
		}
		c.verified++
		if d.Differs != "" {
			c.differ++
		}
		if !d.gone && (c.oldest == nil || d.Verified.Before(c.oldest.Time)) {
			c.oldest = d.Verified
		}
	}
	return c
}

func ofClients(r Report) []*metric {
	age := &metric{name: "client_age_seconds", help: "Age of the newest snapshot that a client has of the oldest of its copies."}
	seen := &metric{name: "client_last_seen_timestamp_seconds", help: "When the client's last connection ended that was part of a run."}
	streams := &metric{name: "client_last_streams", help: "Streams of the client's last connection."}
	for _, j := range r.Jobs {
		for _, c := range j.Clients {
			l := []string{"backup_job", j.Name, "client", c.Name}
			if c.Age != nil {
				age.add(strconv.FormatInt(*c.Age, 10), l...)
			}
			if c.Last != nil {
				at(seen, c.Last, l...)
				streams.add(strconv.Itoa(c.Streams), l...)
			}
		}
	}
	return []*metric{age, seen, streams}
}

func at(m *metric, t *progress.Time, labels ...string) {
	if t != nil {
		m.add(strconv.FormatInt(t.Unix(), 10), labels...)
	}
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
