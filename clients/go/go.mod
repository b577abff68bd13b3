module github.com/agenttier/storage/clients/go

go 1.25.0
