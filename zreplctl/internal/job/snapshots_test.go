package job_test

import (
	"strings"
	"testing"
)

// A job replicates the snapshots that its rules choose, on and on, and lacks
// none of the others.
func TestSelectedSnapshots(t *testing.T) {
	const rules = `snapshots: {regex: "_(daily|monthly)$", exclude: ["_monthly$", ^s9]}`
	for _, c := range []struct{ kind, name, target, job string }{
		{"local", "days", "b/days", `mapping: {"a/x<": b/days}, shared_prefix: true`},
		{"pull", "days", "b/days", `connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, dayspuller]}, mapping: {"a/x<": b/days}`},
		{"push", "days", "b/sinkdays/a/x", `connect: {type: exec, command: [zreplctl, -config, DIR/c.yml, serve, dayspusher]}, datasets: {"a/x<": ok}, shared_prefix: true`},
	} {
		t.Run(c.kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.extend(`- {name: days, type: ` + c.kind + `, snapshot_prefix: s, initial_repl_policy: all, ` + rules + `, ` + strings.ReplaceAll(c.job, "DIR", w.dir) + `}
- {name: sinkdays, type: push-sink, serve: {type: stdinserver, client_identity: dayspusher}, root: b/sinkdays}
- {name: offerdays, type: source, serve: {type: stdinserver, client_identity: dayspuller}, datasets: {"a/x": ok}, snapshot_prefix: s, shared_prefix: true, ` + rules + `}
`)
			w.must("zfs", "create", "b/sinkdays")
			w.must("zfs", "create", "a/x")
			take := func(names ...string) {
				for _, name := range names {
					w.must("zfs", "snapshot", "a/x@"+name)
				}
			}
			there := func(want ...string) {
				t.Helper()
				got := w.lines("zfs", "list", "-H", "-t", "snapshot", "-o", "name", c.target)
				for i := range want {
					want[i] = c.target + "@" + want[i]
				}
				w.equal("the copy has", got, want...)
			}
			take("s1_hourly", "s2_daily", "s3_monthly", "s4_daily", "s5_hourly")
			w.done(c.kind, c.name)
			there("s2_daily", "s4_daily")
			take("s6_hourly", "s9_daily", "t_daily")
			if code, said := w.ctl("plan", c.name); code != 0 || strings.Contains(said, "s5") || strings.Contains(said, "s6") || strings.Contains(said, "s9") {
				t.Errorf("plan: %d %s", code, said)
			}
			take("s7_daily", "s8_hourly")
			w.done(c.kind, c.name)
			there("s2_daily", "s4_daily", "s7_daily")
			code, said := w.ctl("status", c.name)
			if code != 0 || !strings.Contains(said, "\t0 behind\t") {
				t.Errorf("status: %d %s", code, said)
			}
			if code, said := w.ctl("status", "offerdays"); c.kind == "pull" && (code != 0 || !strings.Contains(said, "\t0 behind\t")) {
				t.Errorf("status of the source: %d %s", code, said)
			}
		})
	}
}
