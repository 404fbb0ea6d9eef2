package transfer

// CopiesRequest asks a sink for the client's copies, to restore from them. Target
// is the dataset of the client's host that the restore makes; it names the holds.
type CopiesRequest struct {
	Target string `json:"target"`
}

// Pins asks a sink to hold snapshots of the client's copies for a restore to
// Target, and to release others.
type Pins struct {
	Target  string `json:"target"`
	Hold    []Snap `json:"hold,omitempty"`
	Release []Snap `json:"release,omitempty"`
}
