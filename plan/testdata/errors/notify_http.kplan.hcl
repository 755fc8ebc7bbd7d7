# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  notify "http" { url = "ftp://canary.example/x" } # ERROR KP1901: neither http:// nor https://
  notify "http" { url = "canary" } # ERROR KP1901: neither http:// nor https://
  notify "http" { url = "https:///canary" } # ERROR KP1901: no host
  notify "http" { url = "https://[canary" } # ERROR KP1901: This is no URL
  notify "http" { url = "https://user:canary@example/x" } # ERROR KP1115: in clear text
  notify "http" { url = 5 } # ERROR KP1901: neither
  notify "http" { url = file("secrets/newline") } # WARNING KP1117: chomp # ERROR KP1901: This is no URL
  notify "http" {
    url = env("KAFKA_PASSWORD") # ERROR KP1901: neither http:// nor https://
    headers = { "Authorization" = "Bearer canary" } # ERROR KP1115: "Authorization" holds a secret
  }
  notify "http" {
    url = "https://canary.example"
    headers = { "X-Api-Key" = "canary", "Content-Type" = "text/plain" } # ERROR KP1115: "X-Api-Key"
  }
  notify "http" {
    url = "https://canary.example"
    headers = { "X-Trace" = file("secrets/newline") } # ERROR KP1902: "X-Trace" has a value with a line break
  }
  notify "http" {
    url = "https://canary.example"
    headers = { "X Trace" = "canary" } # ERROR KP1902: "X Trace" has a name
  }
  notify "http" {
    url = "https://canary.example"
    headers = ["canary"] # ERROR KP1209: a map of headers
  }
  notify "http" {
    url = "https://canary.example"
    headers = { "X-Trace" = ["canary"] } # ERROR KP1209: text for each header
  }
}
