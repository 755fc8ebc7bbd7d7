package plan

// codesGates lists KP18xx.
func codesGates() []CodeInfo {
	return []CodeInfo{
		{"KP1801", "Gate without a condition",
			"A gate that asks for nothing is always open, and yet looks like a safeguard.",
			"Give it max_lag, soak, verified, a window or an approval, or remove it."},
		{"KP1802", "Hold without a limit",
			"hold says how long max_lag must have held, and there is no max_lag.",
			"Add max_lag; to wait for a while after the step before, write soak."},
		{"KP1803", "Gate before nothing",
			"before names neither a phase nor a service of the plan, or the phase mirror in a plan without a mirror, so the gate would guard nothing.",
			"Name a phase (prepare, mirror, switch) or a service."},
		{"KP1804", "Phase and service of the same name",
			"before names a phase, and there is a service of that name as well. The phase wins: it comes first, so the gate guards the service too.",
			"Nothing where the phase is meant; rename the service otherwise."},
		{"KP1805", "Nothing to soak",
			"soak counts from the last step that the gate waits for, and no step comes before the first phase.",
			"Leave soak out, or put the gate before mirror, switch or a service."},
		{"KP1806", "Invalid window",
			"A window is days, a span of time and a zone, such as \"Tue,Wed 08:00-11:00 Europe/Madrid\". Days are Mon to Sun, lists (Mon,Fri), ranges (Mon-Fri) or daily; times are HH:MM-HH:MM and may cross midnight; further spans follow behind a semicolon.",
			"Write the window in that form."},
		{"KP1807", "Unknown time zone",
			"A window needs a zone of the IANA database: without one the machine that happens to run kplan would decide when it is open.",
			"Write a zone such as Europe/Madrid, America/New_York or UTC."},
		{"KP1808", "Gate gives up too early",
			"max_lag must have held for longer than the gate waits, so it could never be passed.",
			"Give a longer timeout or a shorter hold."},
		{"KP1809", "Lag of a mirror that has not begun",
			"In a plan with a mirror max_lag is what the mirror still has to copy. Before the phases prepare and mirror it has copied nothing, and it begins only behind the gate.",
			"Put the gate before switch or a service, or leave max_lag out."},
	}
}

// codesNotify lists KP19xx.
func codesNotify() []CodeInfo {
	return []CodeInfo{
		{"KP1901", "Invalid URL",
			"A notification is posted to an http or https URL with a host.",
			"Correct it. It is not shown, since it may hold a token."},
		{"KP1902", "Invalid header",
			"A header has a name of letters, digits and a few signs, and a value on one line.",
			"Correct it; a value that comes from a file may end with a line break: chomp(file(\"path\"))."},
	}
}
