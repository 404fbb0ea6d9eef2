syncoid --identifier=nas --create-bookmark --recvoptions='u o compression=zstd x mountpoint' tank/home root@vault:pool/home
