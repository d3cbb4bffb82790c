module github.com/akuity/kargo/api
