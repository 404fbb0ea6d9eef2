// Package seed writes and reads the files of zseed(5), version 1: the list of some
// datasets, and a stream of each.
//
// A file is a sequence of framed streams, so that its reader can tell its end from
// a cut and notices damage. It is read from its beginning to its end and needs no
// seeking. The package checks that the parts belong together. It does not judge
// what they say of datasets.
package seed

import (
	"time"

	"github.com/zrepl-tools/zrepl-tools/lib/dataset"
)

// Version is that of the format.
const Version = 1

// Head is the first line of the list.
type Head struct {
	Version  int       `json:"zseed"`
	ID       string    `json:"id"` // of this file; the other parts bear it, too
	Role     string    `json:"role"`
	Job      string    `json:"job"`
	Client   string    `json:"client,omitempty"` // of a source
	Made     time.Time `json:"made"`
	Datasets int       `json:"datasets"` // as many lines follow, and as many streams
}

// Entry stands before the stream of a dataset.
type Entry struct {
	ID       string       `json:"id"`
	Stream   int          `json:"stream"` // 1 is the first
	Dataset  string       `json:"dataset"`
	Snapshot string       `json:"snapshot"` // without the dataset and the @
	GUID     dataset.GUID `json:"guid"`
}

// End is the last part.
type End struct {
	ID      string `json:"id"`
	End     bool   `json:"end"`
	Streams int    `json:"streams"`
}

// part is an Entry or an End.
type part struct {
	Entry
	Ends    bool `json:"end"`
	Streams int  `json:"streams"`
}
