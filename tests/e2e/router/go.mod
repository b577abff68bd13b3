module github.com/agenttier/storage/tests/e2e/router

go 1.25.0

require github.com/agenttier/storage/clients/go v0.0.0

replace github.com/agenttier/storage/clients/go => ../../../clients/go
