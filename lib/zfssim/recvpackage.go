package zfssim

// A compound is what a package says of datasets and snapshots before its
// streams: the payload of its first record (send_data_t in
// libzfs_sendrecv.c).
type compound struct {
	Top       string // sending only
	From      string // name of the snapshot that all begin at
	HasFrom   bool
	To        string
	Replicate bool // not marked as not_recursive
	Props     bool
	Raw       bool
	Sets      []sentDS
}

type sentDS struct {
	Name       string
	GUID       uint64
	ParentFrom uint64 // guid of the parent's snapshot From
	Origin     uint64
	EncRoot    bool
	HasProps   bool
	Props      map[string]string // sending only
	Received   []nvpair
	Snaps      []sentSnap
}

type sentSnap struct {
	Name  string
	GUID  uint64
	Props map[string]string
	Holds []string
}

// A packaged is what a stream in a package knows of it.
type packaged struct {
	sent  *compound
	avl   map[uint64]sentRef // by a snapshot's guid; nil where no payload was
	fs    string             // the outer name up to its '@'
	final string             // what follows that
}

type sentRef struct {
	set  *sentDS
	snap *sentSnap
}

func (p *packaged) find(guid uint64) sentRef {
	if p == nil {
		return sentRef{}
	}
	return p.avl[guid]
}

// index is fsavl_create: of several snapshots with one guid the first counts.
func (c *compound) index() map[uint64]sentRef {
	avl := map[uint64]sentRef{}
	for i := range c.Sets {
		s := &c.Sets[i]
		for j := range s.Snaps {
			if _, there := avl[s.Snaps[j].GUID]; !there {
				avl[s.Snaps[j].GUID] = sentRef{s, &s.Snaps[j]}
			}
		}
	}
	return avl
}

// readCompound takes from the payload what libzfs looks for. It reports
// whether libzfs would find all without which it aborts.
func readCompound(l *nvlist) (c *compound, whole bool) {
	c = &compound{}
	_, c.Replicate = l.find("not_recursive", nvBoolean)
	c.Raw = l.has("raw")
	c.From, c.HasFrom = l.string("fromsnap")
	fss := l.sub("fss")
	if fss == nil {
		return c, false
	}
	for i := range fss.pairs {
		s, ok := readSet(fss.pairs[i].list)
		if !ok {
			return c, false
		}
		c.Sets = append(c.Sets, s)
	}
	return c, true
}

func readSet(l *nvlist) (s sentDS, ok bool) {
	s.Name, _ = l.string("name")
	s.ParentFrom, _ = l.number("parentfromsnap")
	s.Origin, _ = l.number("origin")
	s.EncRoot = l.has("is_encroot")
	if props := l.sub("props"); props != nil {
		s.HasProps, s.Received = true, props.pairs
	}
	snaps := l.sub("snaps")
	if snaps == nil {
		return s, false
	}
	for _, p := range snaps.pairs {
		if p.kind != nvUint64 {
			return s, false
		}
		v := sentSnap{Name: p.name, GUID: p.num, Props: map[string]string{}}
		if props := l.sub("snapprops").sub(p.name); props != nil {
			for _, x := range props.pairs {
				v.Props[x.name] = x.text
			}
		}
		if holds := l.sub("snapholds").sub(p.name); holds != nil {
			for _, x := range holds.pairs {
				v.Holds = append(v.Holds, x.name)
			}
		}
		s.Snaps = append(s.Snaps, v)
	}
	return s, true
}
