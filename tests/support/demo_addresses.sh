# shellcheck shell=bash
# Requests what `./run demo` prints: pages, servers and files. To be read by other scripts.

# demo_addresses_answer FILE: FILE holds the demo's output. Prints the first address that does not
# answer and fails; prints nothing and sets `addresses_asked` when all do.
demo_addresses_answer() {
  local name address
  addresses_asked=0
  while read -r name address; do
    case $name in
      Report | Settings) [[ -s $address ]] ;;
      Metrics | Prometheus)
        curl --silent --show-error --fail --max-time 10 --output /dev/null "$address"
        ;;
      Primary | Standby) bash -c "$address --no-psqlrc --command 'SELECT 1' >/dev/null" ;;
      *) continue ;;
    esac || {
      printf '%s: %s does not answer\n' "$name" "$address"
      return 1
    }
    addresses_asked=$((addresses_asked + 1))
  done <"$1"
}
