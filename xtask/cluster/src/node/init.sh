# The first process of a node, in namespaces of its own: it furnishes them and then waits as the
# program `pause`. Gets NODE, ADDRESS, ROOT (what the node sees as /run, /var/lib, /var/log), PEERS
# (number=address of the other nodes), SERVICES, PODS and PAUSE.
set -e

mount -t proc proc /proc
# A new /sys shows the node's own network, but has no cgroups: those of the machine stay.
mount --rbind /sys/fs/cgroup "$ROOT/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$ROOT/cgroup" /sys/fs/cgroup
for folder in var/lib var/log run; do
    mount --bind "$ROOT/$folder" "/$folder"
done
# What a driver mounts must be seen by pods.
mount --make-rshared /

hostname "$NODE"
ip link set lo up
# The other end of the cable is plugged in from outside.
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
# Policies and Services hold between pods of one node too.
sysctl -qw net.bridge.bridge-nf-call-iptables=1
# Nobody asks for IPv6 here, so nobody guards it.
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add "$SERVICES" dev eth0
ip route add blackhole "$PODS"
for peer in $PEERS; do
    ip route add "${peer%%=*}" via "${peer#*=}"
done

exec "$PAUSE"
