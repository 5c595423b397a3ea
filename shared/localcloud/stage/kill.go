package stage

// Kill kills everything that runs on a server, at once. The cloud is not told.
func (s *Stage) Kill(instance string) error { return s.driver.Kill(instance) }
