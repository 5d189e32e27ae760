#!/bin/sh
# Posts a photo with one click to a service that runs, and prints the masks that come back.
#
#   docker/smoke.sh                  what compose.yaml starts
#   URL=http://HOST:8080 KEY=... docker/smoke.sh [PHOTO [X,Y]]
set -eu
cd "$(dirname "$0")/.."

url=${URL:-http://127.0.0.1:${HTTP_PORT:-8080}}
photo=${1:-docs/coffee.jpg}
point=${2:-280,160}

set -- --silent --show-error --max-time 60
if [ -n "${KEY:-}" ]; then
  set -- "$@" --header "Authorization: Bearer $KEY"
fi

tries=0
until curl "$@" --fail --output /dev/null "$url/readyz" 2>/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -ge "${TRIES:-120}" ]; then
    echo "$url is not ready" >&2
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
echo "Dashboards: http://127.0.0.1:${GRAFANA_PORT:-3000} (Grafana), http://127.0.0.1:${PROMETHEUS_PORT:-9090} (Prometheus)"
