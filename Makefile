# make          builds the programs into bin/
# make check    runs all tests that need neither root nor ZFS (scripts/test)
# make install  copies the programs and their manual pages below $(DESTDIR)$(PREFIX)

PREFIX = /usr/local
GO = go
INSTALL = install

PROGRAMS = zsend-frame zrecv-frame zmapfilter zsnap zprune zstdinserver zreplctl

build:
	$(GO) build -o bin/ $(PROGRAMS:%=./%)

# Root may have no Go: install builds only what is missing.
bin/zreplctl:
	$(MAKE) build

check:
	scripts/test

install: bin/zreplctl
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/sbin
	for program in $(PROGRAMS); do \
	  $(INSTALL) -m 755 bin/$$program $(DESTDIR)$(PREFIX)/sbin/ || exit 1; done
	for page in z*/*.[18] doc/*.[57]; do \
	  folder=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.} && \
	  $(INSTALL) -d $$folder && $(INSTALL) -m 644 $$page $$folder/ || exit 1; done

clean:
	rm -rf bin

.PHONY: build check install clean
