package history

// Proxy is where Bitbucket's proxy is looked for.
var Proxy = proxy

// SetProxy puts one at another place: its port is fixed.
func SetProxy(r *Repository, address string) { r.proxy = address }
