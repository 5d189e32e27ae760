#!/bin/sh
# Posts a photo with one click to a service that runs, and prints the masks that come back.
#
#   docker/smoke.sh                  what compose.yaml starts
#   URL=https://HOST:8080 KEY=... CA=ca.pem docker/smoke.sh [PHOTO [X,Y]]
set -eu
cd "$(dirname "$0")/.."

url=${URL:-http://127.0.0.1:${HTTP_PORT:-8080}}
photo=${1:-docs/coffee.jpg}
point=${2:-280,160}

set -- --silent --show-error --max-time 60
if [ -n "${KEY:-}" ]; then
  set -- "$@" --header "Authorization: Bearer $KEY"
fi

if [ -n "${CA:-}" ]; then
  set -- "$@" --cacert "$CA"
fi

tries=0
until reason=$(curl "$@" --fail --output /dev/null "$url/readyz" 2>&1); do
  tries=$((tries + 1))
  if [ "$tries" -ge "${TRIES:-120}" ]; then
    echo "$url is not ready: $reason" >&2
    exit 1
  fi
  sleep 1
done

answer=$(curl "$@" --fail-with-body --form "image=@$photo" \
  --form "request={\"prompts\":[{\"points\":[[$point]]}]}" "$url/v1/segment") || {
  echo "$url refused $photo at $point: $answer" >&2
  exit 1
}

echo "$photo at $point, answered by $url:"
# One line for each mask, without a JSON reader: the fields stand in this order.
echo "$answer" | tr '{' '\n' | sed -n \
  's/.*"area": *\([0-9]*\), *"bbox": *\(\[[^]]*\]\), *"predicted_iou": *\([0-9.]*\).*/  mask: area \1 px, box \2, predicted IoU \3/p'

# A service without compose has neither.
tell() {
  if curl --silent --fail --max-time 2 --output /dev/null "$2/$3"; then
    echo "$1: $2"
  else
    echo "$1: none answers at $2"
  fi
}
tell Grafana "http://127.0.0.1:${GRAFANA_PORT:-3000}" api/health
tell Prometheus "http://127.0.0.1:${PROMETHEUS_PORT:-9090}" -/ready
