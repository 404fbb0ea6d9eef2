package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/peterbourgon/ff/v3/ffcli"

	"github.com/zrepl-tools/zrepl-tools/lib/clean"
	"github.com/zrepl-tools/zrepl-tools/lib/cli"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/config"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/health"
	"github.com/zrepl-tools/zrepl-tools/zreplctl/internal/webpage"
)

func reportCommand(g *globals) *ffcli.Command {
	fs := g.flags("report")
	to := fs.String("o", "", "write the page to `file` instead of standard output")
	return &ffcli.Command{
		Name:       "report",
		ShortUsage: "zreplctl report [-o file] [flags]",
		ShortHelp:  "Write one page of HTML that shows how every job is, with its copies, snapshots and runs.",
		FlagSet:    fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("unexpected argument %q: report shows all jobs", args[0])
			}
			c, err := g.load()
			if err != nil {
				return err
			}
			return g.report(ctx, c, *to)
		},
	}
}

func (g *globals) report(ctx context.Context, c *config.Config, to string) error {
	in := observer(c, nil, time.Now()).Look(ctx)
	merge(&in, askDaemon(ctx, c))
	host, _ := os.Hostname()
	runs, err := past(c, nil)
	page := webpage.Page{Host: host, Report: health.Judge(in), Past: runs, Pictures: pictures(ctx, c)}
	if err != nil {
		page.Report.Notes = append(page.Report.Notes, clean.Line(err.Error(), maxText))
	}
	if to == "" {
		return cli.Quiet(webpage.Write(g.stdout, page))
	}
	var b bytes.Buffer
	if err := webpage.Write(cli.NewOut(&b), page); err != nil {
		return err
	}
	return replaceFile(to, b.Bytes())
}

// replaceFile writes a file that is whole at any moment: a web server may serve
// it. What is no regular file, such as /dev/null or a pipe, is written to.
func replaceFile(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return cli.Cannot("write report", path, pathCause(err))
		}
		return nil
	}
	if behind, err := filepath.EvalSymlinks(path); err == nil {
		path = behind // the link stays
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return cli.Cannot("write report", path, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return cli.Cannot("write report", path, err)
	}
	return nil
}
