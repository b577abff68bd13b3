package main

import "math/rand/v2"

// The words of the simulation: people, teams, templates, and what is said about sandboxes.
var (
	teams = []string{
		"team-atlas", "team-borealis", "team-cobalt", "team-delta", "data-science", "platform", "research", "support-tools",
	}
	givenNames = []string{
		"ana", "bela", "chidi", "dana", "emre", "fatima", "goran", "hana", "ivan", "jun", "kofi",
		"lena", "mei", "nadia", "omar", "priya", "quinn", "rosa", "sven", "tariq", "uma", "yuki",
	}
	templates = []string{"python", "node", "notebook", "browser", "build"}
	commands  = []string{
		"python train.py --epochs 3",
		"pip install -r requirements.txt",
		"npm test",
		"git clone https://git.example.com/atlas/pipeline.git",
		`echo "grüße aus münchen" > motd`,
		"sed -i 's/foo/bar/g' *.txt",
		"python 分析.py --入力 data.csv",
	}
	patches = []string{
		`{"spec":{"idleTimeout":"30m"}}`,
		`{"metadata":{"labels":{"purpose":"démo"}}}`,
	}
)

const defaultActor = "ana@team-atlas.example.com"

func pick(random *rand.Rand, words []string) string { return words[random.IntN(len(words))] }

func email(random *rand.Rand) string {
	return pick(random, givenNames) + "@" + pick(random, teams) + ".example.com"
}
