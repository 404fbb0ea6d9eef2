package hook

import (
	"strings"
	"testing"
	"time"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
)

// Another hook than the one that is due does not do its work: both run.
func TestRecoverSwapped(t *testing.T) {
	k := newHooked(t)
	does := func(text string) []config.Hook {
		return []config.Hook{{Command: []string{"sh", "-c", text}, Timeout: time.Minute, OnFailure: config.Skip}}
	}
	k.now(does("echo thaw all guests >>'"+k.dir+"/calls'"), does("echo start the database >>'"+k.dir+"/calls'"))
	k.killed("p/db", "p/x")
	k.now(does("true"), does("echo ping >>"+k.dir+"/calls"))
	if err := k.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	k.is("calls", k.calls(), "ping\nthaw all guests\nstart the database")
	if said := strings.Join(k.said, "|"); strings.Contains(said, "was changed") {
		t.Error(said)
	}
	k.owesNothing()
}

// What counts as a correction of a command.
func TestIsChangeOf(t *testing.T) {
	for _, c := range []struct {
		before, now string
		changed     bool
	}{
		{"/usr/bin/start-postgres", "/usr/bin/ping-healthchecks", false},
		{"/usr/bin/start-postgres", "/opt/bin/start-postgres", true},
		{"/usr/bin/thaw", "/opt/thaw --all", true},
		{"/opt/thaw --all", "thaw", true},
		{"/etc/hook start-postgres", "/etc/hook ping-healthchecks", false},
		{"systemctl start postgres", "systemctl start postgresql", true},
		{"systemctl start postgres", "systemctl reload nginx", false},
		{"sh -c 'systemctl start postgres'", "sh -c 'curl -fsS https://hc.example/x'", false},
		{"sh -c 'systemctl start postgres'", "sh -c 'true'", false},
		{"sh -c 'systemctl start postgres'", "sh -c 'sleep 5; systemctl start postgres'", true},
		{"pg_ctl -D /db start", "pg_ctlcluster -D /db start", true},
	} {
		split := func(text string) []string {
			command, script, shell := strings.Cut(text, " '")
			if shell {
				return append(strings.Fields(command), strings.TrimSuffix(script, "'"))
			}
			return strings.Fields(command)
		}
		if got := isChangeOf(split(c.now), split(c.before)); got != c.changed {
			t.Errorf("%s, now %s: %v", c.before, c.now, got)
		}
	}
}
