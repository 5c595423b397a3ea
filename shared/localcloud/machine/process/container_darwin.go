package process

// inContainer is false: macOS has no containers of its own.
func inContainer() bool { return false }
