syncoid -r --compress=zstd-fast --source-bwlimit=10m --include-snaps=daily --include-snaps='^keep' --exclude-snaps=_tmp_ --exclude-snaps='.*' --exclude-snaps='(?<!x)y' tank/vm root@vault:pool/vm
