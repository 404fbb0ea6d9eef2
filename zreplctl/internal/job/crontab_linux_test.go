package job_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadmeWell: the two answers of README to "is my backup well?", as they
// stand there: the command, and the line of crontab that is silent as long as it
// is, and has cron mail what is wrong when it is not.
func TestReadmeWell(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "## Is my backup well?\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	line := regexp.MustCompile(`(?m)^0 \* \* \* \* root (.*zreplctl monitor.*)$`).FindStringSubmatch(section)
	if !found || line == nil || !strings.Contains(section, "\nzreplctl status\n") {
		t.Fatalf("README has no such lines: %s", section)
	}
	w := ends(t)
	w.taken(time.Hour, "s1")
	cron := func() string {
		t.Helper()
		c := w.command("sh", "-c", line[1])
		c.Env = append(c.Env, "ZREPLCTL_CONFIG="+w.path("c.yml"))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	status := func() string {
		t.Helper()
		c := w.command("zreplctl", "status")
		c.Env = append(c.Env, "ZREPLCTL_CONFIG="+w.path("c.yml"))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	if mail := cron(); !strings.HasPrefix(mail, "ZREPLCTL CRITICAL - ") || strings.Count(mail, "\n") != 1 || !strings.Contains(mail, "there is no copy") {
		t.Errorf("before the first run cron mails %q", mail)
	}
	if text := status(); !strings.Contains(text, "there is no copy") {
		t.Errorf("before the first run: %s", text)
	}
	w.copied()
	if mail := cron(); mail != "" {
		t.Errorf("it is well, and cron mails %q", mail)
	}
	if text := status(); strings.Contains(text, "\tlate\t") || strings.Count(text, "\tok\t") < 3 {
		t.Errorf("it is well: %s", text)
	}
	w.write("c.yml", "no: configuration\n")
	if mail := cron(); !strings.HasPrefix(mail, "ZREPLCTL UNKNOWN - ") {
		t.Errorf("a configuration that cannot be read: %q", mail)
	}
}
