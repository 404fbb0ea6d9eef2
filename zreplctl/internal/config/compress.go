package config

import (
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/zrepl-tools/zrepl-tools/lib/pack"
)

// compress reads how streams are compressed. Who compresses chooses the level.
func (d *decoder) compress(v *yaml.Node, what string, t Type) pack.Method {
	s, ok := d.str(v, what)
	if !ok {
		return ""
	}
	m, err := pack.Parse(s)
	switch {
	case err != nil:
		d.wrong(v, "%s: %v", what, err)
	case !t.ends().sends && m != "" && m != pack.Zstd:
		d.wrong(v, "%s: %q: the host that sends chooses the level: write zstd here", what, s)
	}
	return m
}

// AsksToCompress reports whether the file says that streams are compressed, or
// may be.
func (j *Job) AsksToCompress() bool {
	_, said := j.at["compress"]
	return said && j.Compress != ""
}

// checkCompress finds streams that are not compressed although it says so.
func (d *decoder) checkCompress(j *Job) {
	if !j.AsksToCompress() || !j.Send.Compressed {
		return
	}
	d.warnAt(j.key("compress"), "%s: compress: it does nothing: send: {compressed: true} sends blocks as they are compressed on the disk, and such streams are not compressed again", fmt.Sprintf("job %q", j.Name))
}
