package zfssim

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Faults are rules, one a line, in the file faults below the root and in the
// environment's ZFS_SIM_FAULTS (there also separated by semicolons):
//
//	[on=SUBCOMMAND] [match=TEXT] [caller=TEXT] [n=N|from=N] ACTION…
//
// on=send is not about zfs send -n, which moves nothing, unless match= is.
// A rule counts the commands that it matches and acts at the n-th (the first,
// without n=; every one from the N-th with from=N). Actions:
//
//	fail[=STATUS]      print message=… (it takes the rest of the line) and exit
//	hang               do nothing, for ever
//	slow=DURATION      wait first
//	linger=DURATION    a receive waits between the end of a stream and its effect
//	kill=before|after  SIGKILL the caller's process group, and this process,
//	                   before or after the command takes effect
//	kill=BYTES         the same in the middle of a stream
//	cut=BYTES          a send stops there and fails; a receive sees the end there
//	corrupt=BYTES      that byte of the stream is changed
//	rate=BYTES         a stream moves so many bytes a second
//	wait[=BYTES]       wait first, or in a stream there, until the rule is gone from
//	                   the file
//	nospace[=BYTES]    out of space, in a stream after so many bytes
//
// Counters are kept below the root in faults.state; writing the file anew
// starts them again.
type faults struct {
	z    *cmd
	args []string
	hit  []map[string]string
}

type faultError struct {
	code    int
	message string
}

func (e *faultError) Error() string { return e.message }

// withFaults runs a command under the rules that are due, and logs it.
func (z *cmd) withFaults(args []string, run func() int) int {
	z.log("start", args, "")
	f := &faults{z: z, args: args}
	f.load()
	if len(f.hit) > 0 {
		z.faults = f
	}
	code, done := f.early()
	if !done {
		code = run()
	}
	for _, rule := range f.hit {
		if rule["kill"] == "after" {
			killCaller()
		}
	}
	z.log("exit", args, strconv.Itoa(code))
	return code
}

// early does what comes before the command.
func (f *faults) early() (int, bool) {
	for _, rule := range f.hit {
		if d, err := time.ParseDuration(rule["slow"]); err == nil {
			time.Sleep(d)
		}
		if text, ok := rule["wait"]; ok && text == "" {
			f.wait(rule)
		}
		if _, ok := rule["hang"]; ok {
			for {
				time.Sleep(time.Hour)
			}
		}
		if rule["kill"] == "before" {
			killCaller()
		}
		if code, ok := rule["fail"]; ok {
			n, err := strconv.Atoi(code)
			if err != nil {
				n = 1
			}
			return f.z.fail(n, "%s", or(rule["message"], "cannot "+strings.Join(f.args[1:2], "")+": fault injected")), true
		}
		if text, ok := rule["nospace"]; ok && text == "" && !streams(f.args) {
			return f.z.fail(1, "cannot %s '%s': out of space", f.args[1], f.args[len(f.args)-1]), true
		}
	}
	return 0, false
}

func streams(args []string) bool {
	return len(args) > 1 && (args[1] == "send" || args[1] == "receive" || args[1] == "recv")
}

// killCaller kills the process group of the parent and this process.
func killCaller() {
	if group, err := unix.Getpgid(os.Getppid()); err == nil && group > 1 {
		syscall.Kill(-group, syscall.SIGKILL)
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (f *faults) load() {
	var rules []string
	if data, err := os.ReadFile(f.z.root + "/faults"); err == nil {
		info, err := os.Stat(f.z.root + "/faults")
		for i, line := range strings.Split(string(data), "\n") {
			if err == nil {
				rules = append(rules, fmt.Sprintf("%d.%d %s", info.ModTime().UnixNano(), i, line))
			}
		}
	}
	for i, line := range strings.FieldsFunc(f.z.env("ZFS_SIM_FAULTS"), func(r rune) bool { return r == ';' || r == '\n' }) {
		rules = append(rules, fmt.Sprintf("env.%d %s", i, line))
	}
	if len(rules) == 0 {
		return
	}
	state, err := os.OpenFile(f.z.root+"/faults.state", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return
	}
	defer state.Close()
	flock(state, syscall.LOCK_EX)
	counts := map[string]int{}
	json.NewDecoder(state).Decode(&counts)
	for _, key := range rules {
		_, text, _ := strings.Cut(key, " ")
		rule := parseRule(text)
		if len(rule) == 0 || !f.matches(rule) {
			continue
		}
		rule[ruleText] = text
		counts[key]++
		if due(rule, counts[key]) {
			f.hit = append(f.hit, rule)
		}
	}
	data, err := json.Marshal(counts)
	if err == nil && state.Truncate(0) == nil {
		state.WriteAt(data, 0)
	}
}

// ruleText is the key of a rule's own text, which no word of a rule can be.
const ruleText = " "

// wait waits until a rule is not in the file any more.
func (f *faults) wait(rule map[string]string) {
	for {
		data, err := os.ReadFile(f.z.root + "/faults")
		if err != nil || !slices.Contains(strings.Split(string(data), "\n"), rule[ruleText]) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func parseRule(text string) map[string]string {
	rule := map[string]string{}
	if text, message, ok := strings.Cut(text, "message="); ok {
		rule = parseRule(text)
		rule["message"] = strings.ReplaceAll(message, `\n`, "\n")
		return rule
	}
	if strings.HasPrefix(strings.TrimSpace(text), "#") {
		return rule
	}
	for _, word := range strings.Fields(text) {
		k, v, _ := strings.Cut(word, "=")
		rule[k] = v
	}
	return rule
}

func due(rule map[string]string, count int) bool {
	if n, err := strconv.Atoi(rule["from"]); err == nil {
		return count >= n
	}
	n, err := strconv.Atoi(rule["n"])
	if err != nil {
		n = 1
	}
	return count == n
}

func (f *faults) matches(rule map[string]string) bool {
	sub := ""
	if len(f.args) > 1 {
		sub = f.args[1]
		if sub == "recv" {
			sub = "receive"
		}
	}
	on := rule["on"]
	if on == "recv" {
		on = "receive"
	}
	if on == "send" && f.dryRun() && rule["match"] == "" {
		return false
	}
	return (on == "" || on == sub || on == f.args[0]) &&
		strings.Contains(strings.Join(f.args, " "), rule["match"]) &&
		strings.Contains(callerName(), rule["caller"])
}

// dryRun reports whether this is a send that only says how large a stream is.
func (f *faults) dryRun() bool {
	return slices.ContainsFunc(f.args[2:], func(arg string) bool {
		return strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.Contains(arg, "n")
	})
}

// callerName is the command line of the process that called this one.
func callerName() string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", os.Getppid()))
	if err != nil {
		return strconv.Itoa(os.Getppid())
	}
	return strings.TrimSpace(strings.ReplaceAll(string(data), "\x00", " "))
}

// log appends a line to the file log below the root, if there is one, or to
// the one that ZFS_SIM_LOG names: what, time, process, caller, command, status,
// and the processor time in microseconds that the command has taken so far.
func (z *cmd) log(what string, args []string, status string) {
	path, flags := z.env("ZFS_SIM_LOG"), os.O_WRONLY|os.O_APPEND
	if path == "" {
		path = z.root + "/log"
	} else {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s\t%s\t%d\t%d\t%s\t%s\t%s\t%d\n", what, time.Now().UTC().Format("15:04:05.000000"), os.Getpid(), os.Getppid(),
		oneLine(callerName()), oneLine(strings.Join(args, " ")), status, processorTime())
}

// processorTime is ours so far, in microseconds.
func processorTime() int64 {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return (used.Utime.Nano() + used.Stime.Nano()) / 1000
}

func oneLine(s string) string { return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(s) }
