# WITH clusters
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
  gate "g01" {
    before = "switch"
    window = "Tues 08:00-11:00 Europe/Madrid" # ERROR KP1806: Did you mean "Tue"?
  }
  gate "g02" {
    before = "switch"
    window = "Tue,Mondag 08:00-11:00 Europe/Madrid" # ERROR KP1806: There is no day "Mondag"
  }
  gate "g03" {
    before = "switch"
    window = "Mon-Fry 08:00-11:00 Europe/Madrid" # ERROR KP1806: Did you mean "Fri"?
  }
  gate "g04" {
    before = "switch"
    window = "Tue 8-11 Europe/Madrid" # ERROR KP1806: Write HH:MM-HH:MM
  }
  gate "g05" {
    before = "switch"
    window = "Tue 08:00-11:60 Europe/Madrid" # ERROR KP1806: a time that no clock shows
  }
  gate "g06" {
    before = "switch"
    window = "Tue 24:00-01:00 Europe/Madrid" # ERROR KP1806: a time that no clock shows
  }
  gate "g07" {
    before = "switch"
    window = "Tue 08:00-08:00 Europe/Madrid" # ERROR KP1806: For a whole day write 00:00-24:00
  }
  gate "g08" {
    before = "switch"
    window = "08:00-11:00 Europe/Madrid" # ERROR KP1806: no span of time
  }
  gate "g09" {
    before = "switch"
    window = "Tue 08:00-11:00 Europe/Madrid; Wed 08:00-11:00 Europe/Madrid" # ERROR KP1806: HH:MM-HH:MM
  }
  gate "g10" {
    before = "switch"
    window = "Tue 08:00-11:00; Europe/Madrid" # ERROR KP1806: no span of time
  }
  gate "g11" {
    before = "switch"
    window = "Tue 08:00-11:00" # ERROR KP1807: names no time zone
  }
  gate "g12" {
    before = "switch"
    window = "Europe/Madrid" # ERROR KP1806: no span of time
  }
  gate "g13" {
    before = "switch"
    window = "08:00-11:00 Tue" # ERROR KP1807: names no time zone
  }
  gate "g14" {
    before = "switch"
    window = "Tue 08:00-11:00 Europe/Madird" # ERROR KP1807: There is no time zone
  }
  gate "g15" {
    before = "switch"
    window = "Tue 08:00-11:00 Local" # ERROR KP1807: There is no time zone
  }
  gate "g16" {
    before = "switch"
    window = "Tue 08:00-11:00 ../../etc/passwd" # ERROR KP1807: names no time zone
  }
  gate "g17" {
    before = "switch"
    window = "   " # ERROR KP1807: names no time zone
  }
}
