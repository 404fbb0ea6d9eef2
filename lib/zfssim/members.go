package zfssim

func (p *pool) members() []member {
	return []member{
		{"guid", &p.GUID, true},
		{"txg", &p.TXG, true},
		{"next", &p.NextID, true},
		{"size", &p.Size, true},
		{"altroot", &p.Altroot, false},
		{"readonly", &p.ReadOnly, false},
		{"features", &p.Features, false},
		{"props", &p.Props, false},
		{"vdevs", &p.Vdevs, false},
		{"load", &p.Load, true},
		{"clones", &p.Clones, false},
	}
}

func (m *meta) members() []member {
	return []member{
		{"volume", &m.Volume, false},
		{"guid", &m.GUID, true},
		{"txg", &m.TXG, true},
		{"creation", &m.Creation, true},
		{"id", &m.ID, true},
		{"changed", &m.Changed, false},
		{"props", &m.Props, false},
		{"received", &m.Received, false},
		{"hidden", &m.Hidden, false},
		{"mounted", &m.Mounted, false},
		{"at", &m.At, false},
		{"clean", &m.Clean, false},
		{"origin", &m.Origin, false},
		{"key", &m.Key, false},
		{"crypt", &m.Crypt, false},
		{"keyguid", &m.KeyGUID, false},
		{"wrap", &m.Wrap, false},
		{"cryptroot", &m.Root, false},
		{"large", &m.Large, false},
		{"raw", &m.Raw, false},
		{"touched", &m.Touched, false},
		{"partial", &m.Partial, false},
		{"new", &m.New, false},
		{"allow", &m.Allow, false},
	}
}

func (p *partial) members() []member {
	return []member{
		{"from", &p.From, false},
		{"to", &p.To, true},
		{"toname", &p.ToName, true},
		{"snap", &p.Snap, true},
		{"features", &p.Features, true},
		{"flags", &p.Flags, false},
		{"creation", &p.Creation, true},
		{"keep", &p.Keep, false},
		{"force", &p.Force, false},
		{"live", &p.Live, false},
		{"origin", &p.Origin, false},
		{"keyguid", &p.KeyGUID, false},
		{"ivset", &p.IVSet, false},
	}
}

func (h *head) members() []member {
	return []member{
		{"volume", &h.Volume, false},
		{"volsize", &h.VolSize, false},
		{"volblocksize", &h.VolBlock, false},
		{"ref", &h.Ref, true},
		{"crypt", &h.Crypt, false},
		{"key", &h.Key, false},
	}
}

func (e *entry) members() []member {
	a := &e.attributes
	return []member{
		{"path", &e.Path, true},
		{"kind", &e.Kind, true},
		{"size", &e.Size, false},
		{"link", &e.Link, false},
		{"keep", &e.Keep, false},
		{"mode", &a.Mode, true},
		{"uid", &a.UID, false},
		{"gid", &a.GID, false},
		{"mtime", &a.MTime, true},
	}
}
