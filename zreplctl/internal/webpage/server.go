package webpage

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Server shows pages at an address. Whoever asks, and however often, costs this
// host one look at a time, and one every few seconds.
type Server struct {
	Address string
	// Names are host names by which it may be asked, besides the address itself
	// and those of the loopback.
	Names []string
	// Pages are by path.
	Pages map[string]Source
	// Warn is told of pages that cannot be made.
	Warn func(path string, err error)
	Log  *log.Logger // of faults of connections

	looking sync.Mutex // one look at a time
	limits  limits     // zero: the usual ones
}

// Source makes a page.
type Source struct {
	Type string
	Make func(context.Context) ([]byte, error)
}

// limits of a server.
type limits struct {
	connections int
	wait        time.Duration // for a page; its look goes on
	good, bad   time.Duration // how long a page, or its error, is shown again
	read, write time.Duration
}

var usual = limits{connections: 32, wait: time.Minute, good: 30 * time.Second, bad: 10 * time.Second,
	read: 10 * time.Second, write: 2 * time.Minute}

const maxHeader = 16 << 10

// Serve answers until ctx is cancelled, or returns why it cannot.
func (s *Server) Serve(ctx context.Context) error {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", s.Address)
	if err != nil {
		return err
	}
	return s.serve(ctx, l)
}

func (s *Server) serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.limits == (limits{}) {
		s.limits = usual
	}
	mux := http.NewServeMux()
	for path, source := range s.Pages {
		exact := path
		if path == "/" {
			exact = "/{$}"
		}
		mux.Handle("GET "+exact, &route{server: s, ctx: ctx, path: path, source: source})
	}
	h := &http.Server{Handler: s.guard(mux), ErrorLog: s.Log, MaxHeaderBytes: maxHeader,
		ReadTimeout: s.limits.read, WriteTimeout: s.limits.write, IdleTimeout: s.limits.read,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	err := h.Serve(&limited{Listener: l, room: make(chan struct{}, s.limits.connections)})
	if ctx.Err() != nil || errors.Is(err, http.ErrServerClosed) {
		return ctx.Err()
	}
	return err
}

// guard refuses requests that name another host: the page of a stranger could
// have a browser on this host ask for the names of datasets, under a name that
// the stranger lets lead here.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if !s.answersTo(r.Host, local) {
			http.Error(w, "this server does not answer to that name: ask for it by its address", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) answersTo(host string, local net.Addr) bool {
	name := hostName(host)
	if name == "localhost" {
		return true
	}
	for _, n := range s.Names {
		if n != "" && name == hostName(n) {
			return true
		}
	}
	at, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	at = at.Unmap()
	if at.IsLoopback() {
		return true
	}
	if own, err := netip.ParseAddrPort(s.Address); err == nil && own.Addr().Unmap() == at {
		return true
	}
	if local == nil {
		return false
	}
	arrived, err := netip.ParseAddrPort(local.String()) // it listens at all addresses
	return err == nil && arrived.Addr().Unmap() == at
}

// route is a page, and what the last look for it said.
type route struct {
	server *Server
	ctx    context.Context // of the server: a request that goes away ends no look
	path   string
	source Source

	mu   sync.Mutex
	last *look
}

// look is one try to make a page. Done is closed when it has ended.
type look struct {
	done chan struct{}
	made time.Time
	text []byte
	err  error
}

// current returns the look that answers a request that comes now: the last one,
// while it is under way or not old.
func (p *route) current() *look {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil && p.last.answers(p.server.limits) {
		return p.last
	}
	l := &look{done: make(chan struct{})}
	p.last = l
	go func() {
		defer close(l.done)
		p.server.looking.Lock()
		defer p.server.looking.Unlock()
		if l.text, l.err = p.source.Make(p.ctx); l.err != nil && p.ctx.Err() == nil {
			p.server.Warn(p.path, l.err)
		}
		l.made = time.Now()
	}()
	return l
}

func (l *look) answers(m limits) bool {
	select {
	case <-l.done:
	default:
		return true
	}
	if l.err != nil {
		return time.Since(l.made) < m.bad
	}
	return time.Since(l.made) < m.good
}

// ServeHTTP implements http.Handler.
func (p *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l := p.current()
	timer := time.NewTimer(p.server.limits.wait)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-r.Context().Done():
		return
	case <-timer.C:
		http.Error(w, "the page is still being made: zfs takes long to answer", http.StatusServiceUnavailable)
		return
	}
	if l.err != nil {
		http.Error(w, "the page could not be made: see the daemon's log", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", p.source.Type)
	w.Write(l.text)
}
