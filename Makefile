# make          builds the programs into bin/
# make check    runs all tests that need neither root nor ZFS (scripts/test)
# make install  copies the programs and what belongs to them below $(DESTDIR)$(PREFIX)
# make uninstall  removes what make install put there, with the same DESTDIR, PREFIX and INIT
# make dist     writes archives and packages into out/ (scripts/package)
#
# INIT says for which manager of services files are installed: systemd, openrc, rc or none.

PREFIX = /usr/local
GO = go
INSTALL = install
BIN = bin
INIT != case $$(uname -s) in Linux) echo systemd ;; FreeBSD) echo rc ;; *) echo none ;; esac

PROGRAMS = zsend-frame zrecv-frame zmapfilter zsnap zprune zstdinserver zreplctl
UNITS = zreplctl.service zreplctl.socket zreplctl@.service zreplctl@.timer
SHARE = $(DESTDIR)$(PREFIX)/share
LIB = $(DESTDIR)$(PREFIX)/lib
DATASETS = zfs list -H -o name -t filesystem,volume

build:
	$(GO) build -ldflags "$$(scripts/version -ldflags)" -o bin/ $(PROGRAMS:%=./%)

# Root may have no Go: install builds only what is missing.
bin/zreplctl:
	$(MAKE) build

check:
	scripts/test

install: $(BIN)/zreplctl install-completions install-$(INIT)
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/sbin
	for program in $(PROGRAMS); do \
	  $(INSTALL) -m 755 $(BIN)/$$program $(DESTDIR)$(PREFIX)/sbin/ || exit 1; done
	for page in z*/*.[18] doc/*.[57]; do \
	  folder=$(SHARE)/man/man$${page##*.} && \
	  $(INSTALL) -d $$folder && $(INSTALL) -m 644 $$page $$folder/ || exit 1; done
	$(INSTALL) -d $(SHARE)/doc/zrepl-tools/examples
	$(INSTALL) -m 644 LICENSE README.md CHANGELOG.md $(SHARE)/doc/zrepl-tools/
	$(INSTALL) -m 644 dist/examples/* dist/*.yml dist/*.json $(SHARE)/doc/zrepl-tools/examples/

install-completions:
	$(INSTALL) -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	$(INSTALL) -m 644 zreplctl/completion/zreplctl.bash $(SHARE)/bash-completion/completions/zreplctl
	$(INSTALL) -m 644 zreplctl/completion/zreplctl.zsh $(SHARE)/zsh/site-functions/_zreplctl
	$(INSTALL) -m 644 zreplctl/completion/zreplctl.fish $(SHARE)/fish/vendor_completions.d/zreplctl.fish
	for program in $(PROGRAMS:zreplctl=); do \
	  case $$program in zsnap|zprune) words='$(DATASETS)' ;; *) words=: ;; esac; \
	  edit="s|@PROGRAM@|$$program|g; s|@FUNCTION@|$$(echo $$program | tr - _)|g; s|@WORDS@|$$words|g"; \
	  sed "$$edit" dist/completion/flags.bash >$(SHARE)/bash-completion/completions/$$program && \
	  sed "$$edit" dist/completion/flags.zsh >$(SHARE)/zsh/site-functions/_$$program && \
	  sed "$$edit" dist/completion/flags.fish >$(SHARE)/fish/vendor_completions.d/$$program.fish && \
	  chmod 644 $(SHARE)/bash-completion/completions/$$program $(SHARE)/zsh/site-functions/_$$program \
	    $(SHARE)/fish/vendor_completions.d/$$program.fish || exit 1; done

# The files name the programs below /usr/local.
OWN = sed 's|/usr/local/sbin/zreplctl|$(PREFIX)/sbin/zreplctl|g'

install-systemd:
	$(INSTALL) -d $(LIB)/systemd/system $(LIB)/tmpfiles.d
	for unit in $(UNITS); do \
	  $(OWN) dist/$$unit >$(LIB)/systemd/system/$$unit && chmod 644 $(LIB)/systemd/system/$$unit || exit 1; done
	$(INSTALL) -m 644 dist/zreplctl.tmpfiles $(LIB)/tmpfiles.d/zreplctl.conf

install-openrc:
	$(INSTALL) -d $(DESTDIR)/etc/init.d
	$(OWN) dist/zreplctl.openrc >$(DESTDIR)/etc/init.d/zreplctl
	chmod 755 $(DESTDIR)/etc/init.d/zreplctl

install-rc:
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/etc/rc.d
	$(OWN) dist/zreplctl.rc >$(DESTDIR)$(PREFIX)/etc/rc.d/zreplctl
	chmod 755 $(DESTDIR)$(PREFIX)/etc/rc.d/zreplctl

install-none uninstall-none:

# Folders may have been there before: only those of this project are removed.
uninstall: uninstall-$(INIT)
	for program in $(PROGRAMS); do \
	  rm -f $(DESTDIR)$(PREFIX)/sbin/$$program $(SHARE)/bash-completion/completions/$$program \
	    $(SHARE)/zsh/site-functions/_$$program $(SHARE)/fish/vendor_completions.d/$$program.fish || exit 1; done
	for page in z*/*.[18] doc/*.[57]; do rm -f $(SHARE)/man/man$${page##*.}/$${page##*/} || exit 1; done
	for file in LICENSE README.md CHANGELOG.md; do rm -f $(SHARE)/doc/zrepl-tools/$$file || exit 1; done
	for file in dist/examples/* dist/*.yml dist/*.json; do rm -f $(SHARE)/doc/zrepl-tools/examples/$${file##*/} || exit 1; done
	rmdir $(SHARE)/doc/zrepl-tools/examples $(SHARE)/doc/zrepl-tools 2>/dev/null || :

uninstall-systemd:
	for unit in $(UNITS); do rm -f $(LIB)/systemd/system/$$unit || exit 1; done
	rm -f $(LIB)/tmpfiles.d/zreplctl.conf

uninstall-openrc:
	rm -f $(DESTDIR)/etc/init.d/zreplctl

uninstall-rc:
	rm -f $(DESTDIR)$(PREFIX)/etc/rc.d/zreplctl

dist:
	scripts/package

clean:
	rm -rf bin out

.PHONY: build check install install-completions install-systemd install-openrc install-rc install-none \
  uninstall uninstall-systemd uninstall-openrc uninstall-rc uninstall-none dist clean
