# What istio-iptables sets for the interception mode TPROXY, inbound ports *, uid 1337; and the
# rule and the route of what is marked.
echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
ip rule add fwmark 1337 lookup 133
ip route add local 0.0.0.0/0 dev lo table 133
ip -6 rule add fwmark 1337 lookup 133
ip -6 route add local ::/0 dev lo table 133
for iptables in iptables ip6tables; do
  case $iptables in
    iptables) local=127.0.0.1/32 bind=127.0.0.6/32 ;;
    ip6tables) local=::1/128 bind=::6/128 ;;
  esac
  mangle="$iptables -t mangle"
  for chain in ISTIO_DIVERT ISTIO_TPROXY ISTIO_INBOUND; do $mangle -N $chain; done
  $mangle -A ISTIO_DIVERT -j MARK --set-mark 1337
  $mangle -A ISTIO_DIVERT -j ACCEPT
  $mangle -A ISTIO_TPROXY ! -d $local -p tcp -j TPROXY --tproxy-mark 1337/0xffffffff --on-port 15006
  $mangle -A ISTIO_INBOUND -p tcp -m mark --mark 1337 -j RETURN
  $mangle -A ISTIO_INBOUND -p tcp -s $bind -i lo -j RETURN
  $mangle -A ISTIO_INBOUND -p tcp -i lo -m mark ! --mark 1338 -j RETURN
  # The test's own: a listener that clients call themselves.
  $mangle -A ISTIO_INBOUND -p tcp --dport 9080 -j RETURN
  $mangle -A ISTIO_INBOUND -p tcp -m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT
  $mangle -A ISTIO_INBOUND -p tcp -j ISTIO_TPROXY
  $mangle -A PREROUTING -p tcp -j ISTIO_INBOUND
  $mangle -A PREROUTING -p tcp -m mark --mark 1337 -j CONNMARK --save-mark
  $mangle -A OUTPUT -p tcp -o lo -m mark --mark 1337 -j RETURN
  $mangle -A OUTPUT ! -d $local -p tcp -o lo -m owner --uid-owner 1337 -j MARK --set-mark 1338
  $mangle -A OUTPUT ! -d $local -p tcp -o lo -m owner --gid-owner 1337 -j MARK --set-mark 1338
  $mangle -A OUTPUT -p tcp -m connmark --mark 1337 -j CONNMARK --restore-mark
done
# The test's own: connections with a cluster's mark are counted, and go nowhere.
iptables -t mangle -I OUTPUT 1 -p tcp -m mark --mark 77 -j DROP
