package convert

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/schedule"
)

// times is what snapshotting says.
type times struct {
	prefix string
	lines  []string // interval or cron
}

func peekIn(r *reader, s *section, key, inner string) string {
	for _, e := range s.rest {
		if e.key == key {
			return peek(r, r.section(s.b, "", e.value), inner)
		}
	}
	return ""
}

// snapshots reads snapshotting.
func (z *zrepl) snapshots(j *job, o *oldJob) (at times) {
	s := o.sub("snapshotting")
	kind, line := s.text("type")
	at.prefix, _ = s.text("prefix")
	switch kind {
	case "periodic":
		at.lines = z.interval(j, s)
	case "cron":
		at.lines = z.cron(j, s)
	case "manual":
		at.prefix = ""
	default:
		j.note(line, "%s: the type %q is not known: the job takes no snapshots", s.what, kind)
		at.prefix = ""
	}
	s.lacks("hooks", ": jobs have hooks with other keys and variables here, see zreplctl.yml(5)")
	if format, line := s.text("timestamp_format"); format != "" && format != "dense" {
		j.note(line, "%s: timestamp_format: %q has no equal: names end as in zrepl_20260101_010000_000", s.what, format)
	}
	if zone, line := s.text("timestamp_location"); zone != "" && zone != "UTC" {
		j.note(line, "%s: timestamp_location: %q has no equal: names have UTC", s.what, zone)
	}
	s.end()
	return at
}

// interval reads one.
func (z *zrepl) interval(j *job, s *section) []string {
	text, line := s.text("interval")
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	if text == "manual" {
		return nil
	}
	if length, err := config.ParseDuration(text); err != nil || length <= 0 {
		j.note(line, "%s: interval: %q is no interval of ours: the job runs by hand only", s.what, text)
		return nil
	}
	return []string{"interval: " + text}
}

func (z *zrepl) cron(j *job, s *section) []string {
	text, line := s.text("cron")
	if fields := strings.Fields(text); len(fields) == 6 {
		if fields[0] != "0" {
			j.note(line, "%s: cron: %q begins with seconds, which have no equal", s.what, text)
		}
		text = strings.Join(fields[1:], " ")
	}
	if _, err := schedule.ParseCron(text); err != nil {
		j.note(line, "%s: cron: %v: the job runs by hand only", s.what, err)
		return nil
	}
	return []string{"cron: " + strconv.Quote(text)}
}

// connection writes how a job reaches the other host: by ssh.
func (z *zrepl) connection(j *job, o *oldJob) {
	s := o.connect
	kind, line := s.text("type")
	host, port := "", ""
	var options []string
	if timeout, line := s.text("dial_timeout"); timeout != "" {
		if length, err := config.ParseDuration(timeout); err == nil && length > 0 {
			options = append(options, "ConnectTimeout="+strconv.Itoa(int(max(1, length.Seconds()))))
		} else {
			j.note(line, "%s: dial_timeout: %q is no duration of ours", s.what, timeout)
		}
	}
	switch kind {
	case "tcp", "tls":
		address, _ := s.text("address")
		var err error
		if host, _, err = net.SplitHostPort(address); err != nil {
			host = address
		}
		j.note(line, "%s: %s to %q: zreplctl connects by ssh; zreplctl init -n %s shows how to make the key", s.what, kind, address, j.kind)
		for _, key := range []string{"ca", "cert", "key", "server_cn"} {
			if n, line := s.take(key); n != nil {
				j.note(line, "%s: %s: %s is not needed for ssh", s.what, key, s.show(n))
			}
		}
		j.put("connect:")
	case "ssh+stdinserver":
		host, _ = s.text("host")
		port, _ = s.text("port")
		options = append(options, z.r.texts(first(s.take("options")))...)
		j.put("connect:")
		s.lacks("ssh_command", "")
		s.lacks("transport_open_command", "")
	default:
		j.note(line, "%s: the type %q is not known: name the host", s.what, kind)
		host = "other.example.com"
		j.put("connect:")
	}
	j.put("  type: ssh+stdinserver")
	j.put("  host: %s", scalar(host))
	if user, _ := s.text("user"); user != "" {
		j.put("  user: %s", scalar(user))
	}
	if port != "" {
		j.put("  port: %s", scalar(port))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		j.lines[len(j.lines)-1] = "  port: " + strconv.FormatUint(n, 10)
	}
	if file, _ := s.text("identity_file"); file != "" {
		j.put("  identity_file: %s", scalar(file))
	}
	if len(options) > 0 {
		j.put("  options: %s", scalars(options))
	}
}

func first[T, U any](a T, _ U) T { return a }

// replication reads replication and conflict_resolution. Only a sender has a
// cursor.
func (z *zrepl) replication(j *job, o *oldJob, sends bool) {
	s := o.sub("conflict_resolution")
	switch text, line := s.text("initial_replication"); text {
	case "":
	case "most_recent", "all", "fail":
		j.put("initial_repl_policy: %s", text)
	default:
		j.note(line, "%s: initial_replication: %q is not known", s.what, text)
	}
	s.end()
	r := o.sub("replication")
	z.protection(j, r.sub("protection"), sends)
	c := r.sub("concurrency")
	if text, line := c.text("steps"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 64 {
			j.note(line, "%s: steps: %q: zreplctl allows 1 to 64", c.what, text)
			n = min(max(n, 1), 64)
		}
		j.put("parallel: %d", n)
	}
	c.lacks("size_estimates", "")
	c.end()
	r.end()
}

func (z *zrepl) protection(j *job, p *section, sends bool) {
	for _, key := range []string{"initial", "incremental"} {
		text, line := p.text(key)
		switch {
		case text == "" || text == "guarantee_resumability":
		case !sends:
			j.note(line, "%s: %s: %s: the source job of the other host decides: cursor", p.what, key, text)
		case text == "guarantee_incremental" && key == "incremental":
			j.put("cursor: bookmark")
		case text == "guarantee_incremental":
			j.remark("%s: initial: %s: a first stream is always protected.", p.what, text)
		default:
			j.note(line, "%s: %s: %q has no equal: what the next stream needs is always protected", p.what, key, text)
		}
	}
	p.end()
}

var size = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([kKMGT]?)(i?)([bB]|[bB]it)?$`)

// rate turns one of zrepl's into bytes a second; 0: no limit.
func rate(text string) (bytes int64, ok bool) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "-1") {
		return 0, true
	}
	m := size.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	base := 1000.0
	if m[3] != "" {
		base = 1024
	}
	for range strings.Index(" KMGT", strings.ToUpper(m[2] + " ")[:1]) {
		n *= base
	}
	if m[4] != "B" && m[4] != "" {
		n /= 8
	}
	return int64(n), err == nil && n >= 1 && n < 1e15
}

// limit reads bandwidth_limit.
func (z *zrepl) limit(j *job, s *section, can bool) {
	b := s.sub("bandwidth_limit")
	text, line := b.text("max")
	if n, ok := rate(text); text != "" && (!ok || n > 0 && !can) {
		j.note(line, "%s: max: %q has no equal here: a job has one rate, and this one has that of its sending side, if that has one", b.what, text)
	} else if n > 0 {
		j.put("rate: %d", n)
	}
	b.take("bucket_capacity")
	b.end()
}

// sending writes how streams are made: as zrepl made those that the copies
// have, since ZFS accepts no others.
func (z *zrepl) sending(j *job, o *oldJob) {
	s := o.sub("send")
	z.limit(j, s, true)
	encrypted, line := s.is("encrypted")
	raw, _ := s.is("raw")
	if encrypted {
		j.note(line, "%s: encrypted: true refuses datasets without encryption in zrepl; here they are sent, too", s.what)
	}
	j.remark("As zrepl sends: a copy must continue as it was begun.")
	j.put("send:")
	if !encrypted && !raw {
		j.put("  encrypted: plain")
	}
	for _, key := range [][2]string{{"large_blocks", "large_blocks"}, {"compressed", "compressed"}, {"embedded_data", "embedded"}} {
		if yes, _ := s.is(key[0]); yes || key[0] == "large_blocks" {
			j.put("  %s: %t", key[1], yes)
		}
	}
	properties, line := s.is("send_properties")
	backup, _ := s.is("backup_properties")
	if properties || backup {
		j.put("  properties: true")
		j.note(line, "%s: properties: the job that receives takes none until its recv: properties names them", s.what)
	}
	if saved, line := s.is("saved"); saved {
		j.note(line, "%s: saved: true has no equal", s.what)
	}
	s.end()
}

func (z *zrepl) receiving(j *job, o *oldJob) { z.recv(j, o.sub("recv")) }

// recv writes how copies are made.
func (z *zrepl) recv(j *job, s *section) {
	z.limit(j, s, j.kind != "local")
	var lines []string
	p := s.sub("properties")
	n, _ := p.take("override")
	for _, e := range z.r.entries(n) {
		value := z.r.text(e.value)
		if !canOverride(e.key, value) {
			j.note(e.line, "%s: override: %s: %q cannot be set here", p.what, e.key, value)
			continue
		}
		lines = append(lines, "    "+scalar(e.key)+": "+strconv.Quote(value))
	}
	if len(lines) > 0 {
		lines = append([]string{"  override:"}, lines...)
	}
	if n, _ := p.take("inherit"); n != nil {
		j.remark("%s: inherit: %s: no property is taken from the sender unless recv: properties names it, but each new copy is made inert.", p.what, p.show(n))
	}
	p.end()
	h := s.sub("placeholder")
	switch text, line := h.text("encryption"); text {
	case "", "unspecified", "inherit":
	case "off":
		lines = append(lines, "  placeholder_encryption: off")
	default:
		j.note(line, "%s: encryption: %q is not known", h.what, text)
	}
	h.end()
	s.end()
	if len(lines) > 0 {
		j.put("recv:")
	}
	for _, line := range lines {
		j.put("%s", line)
	}
}

var property = regexp.MustCompile(`^[a-z0-9:+._@][a-z0-9:+._@-]*$`)

// canOverride reports whether our configuration can set a property.
func canOverride(name, value string) bool {
	switch name {
	case "sharenfs", "sharesmb", "encryption", "keyformat", "keylocation", "pbkdf2iters", "origin", "volsize", "type":
		return false
	case "compress", "rdonly", "recsize", "refreserv", "reserv", "volblock", "enc":
		return false
	case "mountpoint":
		return value == "none"
	}
	return property.MatchString(name) && len(name) <= 256 && len(value) < 1024 && oneLine(value) == value && value != "" && !strings.HasPrefix(name, "zreplctl:")
}
