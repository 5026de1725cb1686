module node

go 1.25
